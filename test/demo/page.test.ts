import { expect, test } from 'vitest'
import { makeApps } from '../../server/demo/apps.ts'
import { createClient } from '../../server/demo/client.ts'
import { demoRoutes } from '../../server/demo/routes.ts'
import { bearer, operatorToken } from '../support/operator.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { dataOf, openStream } from '../support/stream.ts'

async function startDemo(): Promise<TestServer> {
  const server = await startServer({ more: demoRoutes })
  await makeApps(createClient(server.url), bearer(await operatorToken(server)))
  return server
}

const login = '/v1/apps/ton-quest/telegram/login'

test('without the demo there is nothing of it', async () => {
  const server = await startServer()
  for (const path of ['/demo', '/demo/', '/demo/app.js', '/demo/style.css', '/demo/people'])
    expect((await call(server, 'GET', path)).status, path).toBe(404)
  for (const path of ['/demo/init-data', '/demo/notification'])
    expect((await call(server, 'POST', path, { body: { person: 71_000_001 } })).status, path).toBe(404)
})

test('the page, its script and its style are served under a policy that allows nothing else', async () => {
  const server = await startDemo()
  for (const [path, type] of [
    ['/demo', 'text/html'],
    ['/demo/app.js', 'text/javascript'],
    ['/demo/style.css', 'text/css'],
  ] as const) {
    const { status, headers } = await call(server, 'GET', path)
    expect([path, status, headers.get('content-type')]).toEqual([path, 200, `${type}; charset=utf-8`])
    const policy = headers.get('content-security-policy')!
    expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/)
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toMatch(/unsafe|\*|https?:/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect((await call(server, 'POST', path, { body: {} })).status).toBe(405)
  }
  const html = (await call(server, 'GET', '/demo')).body['text'] as string
  expect(html).not.toMatch(/<script(?![^>]*src=)|<style|style=|\son\w+=|https?:\/\//)
  for (const path of ['/demo/routes.ts', '/demo/../people.ts', '/demo/%2e%2e/people.ts', '/demo/page/app.js'])
    expect((await call(server, 'GET', path)).status, path).toBe(404)
})

test('initData of a sample person signs in; of nobody else is there any', async () => {
  const server = await startDemo()
  const { items } = (await call(server, 'GET', '/demo/people')).body as { items: { id: number; name: string }[] }
  expect(items.length).toBeGreaterThan(2)
  for (const { id } of items) {
    const { status, body } = await call(server, 'POST', '/demo/init-data', { body: { person: id } })
    expect(status).toBe(200)
    const answer = await call(server, 'POST', login, { body: { initData: body['initData'] } })
    expect(answer.status).toBe(200)
    expect((await call(server, 'GET', '/v1/session', { token: answer.body['accessToken'] })).status).toBe(200)
  }
  for (const body of [{ person: 1 }, { person: String(items[0]!.id) }, {}, [], { person: items[0]!.id, admin: true }])
    for (const path of ['/demo/init-data', '/demo/notification'])
      expect((await call(server, 'POST', path, { body })).body, JSON.stringify(body)).toMatchObject({
        status: 400,
        code: 'invalid_request',
      })
})

test('what it hands out is worth nothing once the app has a real bot', async () => {
  const server = await startDemo()
  const headers = bearer(await operatorToken(server, 'admin'))
  const { body: app } = await call(server, 'GET', '/api/v1/apps', { headers })
  const id = (app['items'] as { id: string; slug: string }[]).find(({ slug }) => slug === 'ton-quest')!.id
  const real = { telegram: { botToken: '7000000001:AAF1nTheTestsOnlyNeverARealBotToken0' } }
  expect((await call(server, 'PATCH', `/api/v1/apps/${id}`, { headers, body: real })).status).toBe(200)
  const { body } = await call(server, 'POST', '/demo/init-data', { body: { person: 71_000_001 } })
  expect((await call(server, 'POST', login, { body: { initData: body['initData'] } })).body).toMatchObject({
    status: 401,
    code: 'invalid_signature',
  })
})

test('a sample notification reaches the person who is signed in, in their language', async () => {
  const server = await startDemo()
  const person = 71_000_002
  const { initData } = (await call(server, 'POST', '/demo/init-data', { body: { person } })).body as {
    initData: string
  }
  const { accessToken } = (await call(server, 'POST', login, { body: { initData } })).body as { accessToken: string }
  const stream = await openStream(`${server.url}/v1/me/notifications/stream`, {
    authorization: `Bearer ${accessToken}`,
  })
  expect((await call(server, 'POST', '/demo/notification', { body: { person } })).status).toBe(202)
  await expect.poll(() => dataOf(stream.text)).toMatchObject([{ type: 'txn.received', data: { op: 'txn.received' } }])
  expect(dataOf(stream.text)[0]!['title']).toMatch(/receb/i)
})
