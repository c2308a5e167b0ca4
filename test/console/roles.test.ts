import { beforeAll, afterAll, expect, test } from 'vitest'
import type { App } from '../../server/app/app.ts'
import { roles, type Role } from '../../server/operator/operator.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { operatorToken } from '../support/operator.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'

/** What changes something and yet is for everybody who may look: it is about oneself, or changes nothing. */
const forViewers = [
  'POST /apps/{id}/policy-impact',
  'POST /apps/{appId}/event-types/{key}/preview',
  'POST /apps/{appId}/email-templates/{kind}/preview',
  'POST /apps/{appId}/email-templates/{kind}/check',
  'POST /webhooks/check-signature',
  'POST /tokens/inspect',
  'POST /operator-tokens',
  'DELETE /operator-tokens/{id}',
]
/** What support does: end sessions, keep people out, send again. */
const forSupport = [
  'POST /sessions/{id}/revoke',
  'POST /sessions/revoke',
  'POST /users/{id}/block',
  'POST /users/{id}/unblock',
  'POST /tokens/revoke',
  'POST /blocks',
  'DELETE /blocks/{id}',
  'POST /notifications/{id}/replay',
  'POST /notifications/replay',
  'POST /emails/{id}/reveal',
  'POST /emails/{id}/resend',
  'DELETE /email-suppressions/{id}',
  'POST /emails/bounces',
  'POST /emails/{id}/bounce',
]
/** What only an owner does: it concerns who else may do what. */
const forOwners = [
  'GET /operators',
  'POST /operators',
  'PATCH /operators/{id}',
  'DELETE /operators/{id}',
  'POST /keys',
  'DELETE /keys/{kid}',
  'PATCH /retention',
]

let server: TestServer
let own: App
let foreign: App
let ids: Record<string, string>
let operations: string[]

beforeAll(async () => {
  server = await startServer({ keep: true })
  own = await telegramApp(server)
  foreign = await telegramApp(server, { slug: 'foreign' })
  const { user, session } = (await signInWithTelegram(server, foreign)).body
  ids = { '/users': user.id, '/sessions': session.id, '/apps': foreign.publicId }
  const { paths } = (await call(server, 'GET', '/api/openapi.json')).body
  operations = Object.entries<object>(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
})
afterAll(() => server.stop())

/** One call of an operation upon what belongs to the foreign app, with nothing in it that would hold. */
async function attempt(operation: string, token: string) {
  const [method, path] = operation.split(' ') as [string, string]
  const of = path.slice(0, path.indexOf('/', 1)) || path
  const filled = path
    .replace('{appId}', foreign.publicId)
    .replace('{id}', ids[of] ?? 'nothing')
    .replace(/\{kind\}/, 'signature_updated')
    .replace(/\{key\}/, 'own.type')
    .replace(/\{\w+\}/g, 'nothing')
  const body = method === 'GET' || method === 'DELETE' ? {} : { body: { nonsense: true } }
  const { status, body: answer } = await call(server, method, `/api/v1${filled}`, { token, ...body })
  return { status, code: answer['code'] as string | undefined }
}

const mayDo = (role: Role, operation: string): boolean => {
  if (forOwners.includes(operation)) return role === 'owner'
  if (operation.startsWith('GET ') || forViewers.includes(operation)) return true
  return role === 'viewer' ? false : role === 'support' ? forSupport.includes(operation) : true
}

test.each(roles)('every operation asks whether %s may do it', async (role) => {
  const token = await operatorToken(server, role)
  for (const named of [...forViewers, ...forSupport, ...forOwners]) expect(operations).toContain(named)
  for (const operation of operations) {
    // What would take away what the others are tried upon is for the last.
    if (mayDo(role, operation) && /^DELETE \/(apps|users)\/\{id\}$/.test(operation)) continue
    const { status, code } = await attempt(operation, token)
    expect([operation, code === 'forbidden']).toEqual([operation, !mayDo(role, operation)])
    expect([operation, status]).not.toEqual([operation, 500])
  }
})

test.each(roles)('for %s of one app there is nothing of another', async (role) => {
  const token = await operatorToken(server, role, `${role}.of.one@example.com`, [own.id])
  for (const operation of operations) {
    const { status, code } = await attempt(operation, token)
    expect([operation, status]).not.toEqual([operation, 500])
    if (!/\{(id|appId)\}/.test(operation) || /operator-tokens/.test(operation)) continue
    // Refused for the role, for the body, or because for this operator it is not there; never done.
    expect([operation, ['forbidden', 'not_found', 'invalid_request']]).toEqual([
      operation,
      expect.arrayContaining([code]),
    ])
  }
  for (const list of ['/apps', '/users', '/sessions', '/notifications', '/emails', '/traffic', '/blocks']) {
    const { body } = await call(server, 'GET', `/api/v1${list}`, { token })
    expect([list, JSON.stringify(body)]).not.toEqual([list, expect.stringContaining(foreign.publicId)])
    if (list !== '/apps') expect([list, body['items'], body['total'] ?? 0]).toEqual([list, [], 0])
  }
  expect((await call(server, 'GET', '/api/v1/stats', { token })).body).toMatchObject({
    users: 0,
    apps: 1,
    liveSessions: 0,
  })
  const audit = await call(server, 'GET', '/api/v1/audit?limit=200', { token })
  expect(JSON.stringify(audit.body)).not.toMatch(new RegExp(`${foreign.publicId}|foreign`))
})
