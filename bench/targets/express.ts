import express from 'express'
import { announce } from '../target.ts'

/** The yardstick: an Express route that answers a small JSON object and does nothing else. */
const app = express()
app.get('/v1/session', (_request, response) => {
  response.json({ session: { id: 'ses_1', userId: 'usr_1' }, user: { id: 'usr_1' } })
})
const server = app.listen(0, '127.0.0.1', () => announce(server, {}))
