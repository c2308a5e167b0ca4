import express from 'express'
import { announce } from '../target.ts'

/** The yardsticks: Express routes that answer a small JSON object and do nothing else, one after reading a form. */
const app = express()
app.post('/oauth/introspect', express.urlencoded(), (_request, response) => {
  response.json({ active: true, sub: 'usr_1', sid: 'ses_1' })
})
app.get('/v1/session', (_request, response) => {
  response.json({ session: { id: 'ses_1', userId: 'usr_1' }, user: { id: 'usr_1' } })
})
const server = app.listen(0, '127.0.0.1', () => announce(server, {}))
