import { createServer } from 'node:http'
import { announce } from '../target.ts'

/** An app's own server: it vouches at once for a token such as `t-17-4`, whose bearer is person 17, and is silent for ever at /hang. */
const server = createServer((request, response) => {
  if (request.url === '/hang') return
  const [, person] = (request.headers.authorization ?? '').split('-')
  const now = Math.floor(Date.now() / 1000)
  const body = JSON.stringify({
    sub: `person-${person}`,
    iat: now,
    exp: now + 600,
    name: `Person ${person}`,
    aud: 'bench',
  })
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
})
server.listen(0, '127.0.0.1', () => announce(server, {}))
