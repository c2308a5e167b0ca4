import { describe, expect, test } from 'vitest'
import { applyApps } from '../../server/declare/apply.ts'
import { exportApps } from '../../server/declare/export.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { bearer, operatorToken } from '../support/operator.ts'
import { call, startServer } from '../support/server.ts'

async function setUp() {
  const server = await startServer()
  const app = await server.createApp()
  const headers = bearer(await operatorToken(server))
  const path = `/api/v1/apps/${app.publicId}`
  return {
    server,
    app,
    patch: (sso: unknown) => call(server, 'PATCH', path, { headers, body: { sso } }),
    get: () => call(server, 'GET', path, { headers }),
  }
}

describe('the settings of SSO', () => {
  test('are as safe as the contract says while nobody changed them', async () => {
    const { get } = await setUp()
    expect((await get()).body['sso']).toEqual({
      tokenInfoUrl: null,
      method: 'GET',
      tokenIn: 'bearer',
      audiences: [],
      timeoutMs: 3000,
      clockSkew: 30,
      requireEmailVerified: false,
      headerNames: [],
    })
  })

  test('keep header values to themselves: set one by one, removed by null, never shown again', async () => {
    const { server, patch, get } = await setUp()
    const tokenInfoUrl = 'https://users.example/tokeninfo'
    const set = await patch({ tokenInfoUrl, headers: { 'X-Api-Key': 'secret-5afe', 'x-more': 'secret-5afe2' } })
    expect([set.status, set.body['sso'].headerNames]).toEqual([200, ['x-api-key', 'x-more']])
    const removed = await patch({ headers: { 'x-more': null } })
    expect(removed.body['sso'].headerNames).toEqual(['x-api-key'])
    const audit = await call(server, 'GET', '/api/v1/audit', {
      headers: bearer(await operatorToken(server, 'owner', 'b@example.com')),
    })
    for (const answer of [set, removed, await get(), audit, await exportApps(server.runtime), { log: server.logged() }])
      expect(JSON.stringify(answer)).not.toContain('5afe')
  })

  test.each([
    [{ tokenInfoUrl: 'ftp://a.example/' }, 'sso.tokenInfoUrl'],
    [{ tokenInfoUrl: 'https://user:pass@a.example/' }, 'sso.tokenInfoUrl'],
    [{ tokenInfoUrl: 'https://a.example/#x' }, 'sso.tokenInfoUrl'],
    [{ method: 'PUT' }, 'sso.method'],
    [{ method: 'GET', tokenIn: 'json:token' }, 'sso.method'],
    [{ tokenIn: 'cookie:a' }, 'sso.tokenIn'],
    [{ tokenIn: 'query:' }, 'sso.tokenIn'],
    [{ tokenIn: 'query:a b' }, 'sso.tokenIn'],
    [{ timeoutMs: 99 }, 'sso.timeoutMs'],
    [{ clockSkew: 301 }, 'sso.clockSkew'],
    [{ audiences: [''] }, 'sso.audiences.0'],
    [{ audiences: null }, 'sso.audiences'],
    [{ headers: { host: 'a' } }, 'sso.headers.host'],
    [{ headers: { 'Transfer-Encoding': 'chunked' } }, 'sso.headers.Transfer-Encoding'],
    [{ headers: { 'a b': 'c' } }, 'sso.headers.a b'],
    [{ headers: { a: 'b\r\nc: d' } }, 'sso.headers.a'],
    [{ headers: { a: '' } }, 'sso.headers.a'],
    [{ headers: { authorization: 'Bearer x' } }, 'sso.headers.authorization'],
    [{ unknown: 1 }, 'sso.unknown'],
  ])('are refused where they make no sense: %j', async (sso, path) => {
    const { patch, get } = await setUp()
    const before = (await get()).body
    const answer = await patch(sso)
    expect(answer.body).toMatchObject({ status: 400, code: 'invalid_request', errors: [{ path }] })
    expect((await get()).body).toEqual(before)
  })

  test('of an app that is declared in a file are applied once, secrets and all', async () => {
    const { server } = await setUp()
    const file = {
      apps: [{ slug: 'tomo', name: 'Tomo', sso: { audiences: ['a'], headers: { 'X-Api-Key': 'k1' } } }],
    }
    const apply = () => applyApps(server.runtime, cliActor, file)
    expect((await apply())[0]!.result).toBe('created')
    expect((await apply())[0]!.result).toBe('unchanged')
    file.apps[0]!.sso.headers['X-Api-Key'] = 'k2'
    expect((await apply())[0]).toMatchObject({ result: 'updated', changed: ['sso.headers.x-api-key'] })
    const { apps, secrets } = await exportApps(server.runtime)
    expect(secrets).toEqual([{ slug: 'tomo', path: 'sso.headers.x-api-key' }])
    expect((await applyApps(server.runtime, cliActor, { apps })).map(({ result }) => result)).toEqual([
      'unchanged',
      'unchanged',
    ])
  })
})
