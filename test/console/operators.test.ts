import { expect, test } from 'vitest'
import { call, startServer, type TestServer } from '../support/server.ts'
import { operatorToken, password } from '../support/operator.ts'

const signIn = (server: TestServer, headers: Record<string, string> = {}) =>
  call(server, 'POST', '/trpc/auth.signIn', { body: { email: 'bo@example.com', password }, headers })

const cookieOf = (answer: { headers: Headers }) => answer.headers.get('set-cookie')!.split(';')[0]!

/** Whether each of somebody's keys to the console still opens it. */
async function open(server: TestServer, { cookie, token }: { cookie: string; token: string }) {
  const ways = [{ cookie }, { authorization: `Bearer ${token}` }] as Record<string, string>[]
  const rest = ways.map((headers) => call(server, 'GET', '/api/v1/apps', { headers }))
  const trpc = ways.map((headers) => call(server, 'GET', '/trpc/apps.list?input=%7B%7D', { headers }))
  return (await Promise.all([...rest, ...trpc])).map(({ status }) => status)
}

async function withBo() {
  const server = await startServer()
  const owner = await operatorToken(server)
  const token = await operatorToken(server, 'admin', 'bo@example.com')
  const cookie = cookieOf(await signIn(server))
  const { items } = (await call(server, 'GET', '/api/v1/operators', { token: owner })).body
  const { id } = items.find(({ email }: { email: string }) => email === 'bo@example.com')
  const change = (body: unknown) => call(server, 'PATCH', `/api/v1/operators/${id}`, { token: owner, body })
  return { server, owner, token, cookie, id: id as string, change }
}

test('an operator who is switched off or removed is out on every way at once', async () => {
  const { server, owner, token, cookie, id, change } = await withBo()
  expect(await open(server, { cookie, token })).toEqual([200, 200, 200, 200])
  expect((await change({ disabled: true })).status).toBe(200)
  expect(await open(server, { cookie, token })).toEqual([401, 401, 401, 401])
  expect((await signIn(server)).status).toBe(401)

  await change({ disabled: false })
  // Signed out is signed out; the API token was only asleep.
  expect(await open(server, { cookie, token })).toEqual([401, 200, 401, 200])
  const again = cookieOf(await signIn(server))
  expect((await call(server, 'DELETE', `/api/v1/operators/${id}`, { token: owner })).status).toBe(204)
  expect(await open(server, { cookie: again, token })).toEqual([401, 401, 401, 401])
})

test('a role that was taken away is gone on the next call, and a new password ends every sign-in', async () => {
  const { server, token, cookie, change } = await withBo()
  const make = (headers: Record<string, string>, name: string) =>
    call(server, 'POST', '/api/v1/apps', { headers, body: { name } })
  expect((await make({ authorization: `Bearer ${token}` }, 'One')).status).toBe(201)
  await change({ role: 'viewer' })
  expect((await make({ authorization: `Bearer ${token}` }, 'Two')).status).toBe(403)
  expect((await make({ cookie }, 'Three')).status).toBe(403)
  await change({ password: 'another long enough password' })
  expect(await open(server, { cookie, token })).toEqual([401, 200, 401, 200])
})

test('each sign-in has a cookie of its own; one that was brought along is not taken over', async () => {
  const { server, token, cookie } = await withBo()
  const planted = `${cookie.split('=')[0]}=gh_oc_${'A'.repeat(64)}`
  const first = cookieOf(await signIn(server, { cookie: planted }))
  const second = cookieOf(await signIn(server, { cookie: first }))
  expect(new Set([planted, cookie, first, second]).size).toBe(4)
  expect(await open(server, { cookie: planted, token })).toEqual([401, 200, 401, 200])
  await call(server, 'POST', '/trpc/auth.signOut', { body: {}, headers: { cookie: first } })
  expect(await open(server, { cookie: first, token })).toEqual([401, 200, 401, 200])
  expect(await open(server, { cookie: second, token })).toEqual([200, 200, 200, 200])
})

test('wrong passwords lock the way in, and sign nobody out who is in', async () => {
  const { server, token, cookie } = await withBo()
  for (let attempt = 0; attempt < 11; attempt++)
    await call(server, 'POST', '/trpc/auth.signIn', { body: { email: 'bo@example.com', password: 'wrong' } })
  expect((await signIn(server)).status).toBe(423)
  expect(await open(server, { cookie, token })).toEqual([200, 200, 200, 200])
})

test('the last owner who can sign in stays', async () => {
  const { server, owner } = await withBo()
  const { items } = (await call(server, 'GET', '/api/v1/operators', { token: owner })).body
  const { id } = items.find(({ role }: { role: string }) => role === 'owner')
  for (const body of [{ role: 'admin' }, { disabled: true }])
    expect((await call(server, 'PATCH', `/api/v1/operators/${id}`, { token: owner, body })).status).toBe(409)
  expect((await call(server, 'DELETE', `/api/v1/operators/${id}`, { token: owner })).status).toBe(409)
})

test('whoever has a whole IPv6 network tries passwords as one address', async () => {
  const server = await startServer({ env: { GATEHOUSE_TRUST_PROXY: '127.0.0.1' } })
  const statuses = new Set<number>()
  for (let at = 0; at < 110; at++) {
    const body = { email: `nobody${at}@example.com`, password: 'not the password' }
    const headers = { 'x-forwarded-for': `2001:db8:1:2::${at.toString(16)}` }
    statuses.add((await call(server, 'POST', '/trpc/auth.signIn', { body, headers })).status)
  }
  expect([...statuses]).toEqual([401, 423])
})
