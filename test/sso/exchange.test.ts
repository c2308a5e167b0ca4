import * as client from 'openid-client'
import { describe, expect, test } from 'vitest'
import { newApiKey, oauth } from '../support/apiKey.ts'
import { checkSession } from '../support/signIn.ts'
import { startSso } from '../support/tokenInfo.ts'

const grant = 'urn:ietf:params:oauth:grant-type:token-exchange'
const type = 'urn:ietf:params:oauth:token-type:access_token'

describe('token exchange (RFC 8693)', () => {
  const form = { grant_type: grant, subject_token: 'token-1', subject_token_type: type }

  test("turns the app's token into a session's tokens", async () => {
    const { server, app } = await startSso()
    const key = await newApiKey(server, app)
    const answer = await oauth(server, '/oauth/token', form, { key })
    expect(answer.body).toEqual({
      access_token: expect.any(String),
      issued_token_type: type,
      token_type: 'Bearer',
      expires_in: 1800,
      refresh_token: expect.stringMatching(/^gh_rt_/),
    })
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect((await checkSession(server, answer.body['access_token'])).body['session'].method).toBe('sso')
  })

  test("is what openid-client's own request does, told by our metadata", async () => {
    const { server, app } = await startSso()
    const key = await newApiKey(server, app)
    // A test's issuer is not its address, so the document is read by hand.
    const document = await fetch(`${server.url}/.well-known/oauth-authorization-server`)
    const metadata = (await document.json()) as client.ServerMetadata
    expect(metadata['grant_types_supported']).toContain(grant)
    const config = new client.Configuration(metadata, app.slug, key)
    client.allowInsecureRequests(config)
    config[client.customFetch] = (url, options) =>
      fetch(url.replace('http://localhost:3000', server.url), options as RequestInit)
    const tokens = await client.genericGrantRequest(config, grant, {
      subject_token: 'token-1',
      subject_token_type: type,
    })
    expect(tokens).toMatchObject({ token_type: 'bearer', issued_token_type: type, expires_in: 1800 })
  })

  test.each([
    [{ subject_token: '' }, 400, 'invalid_request'],
    [{ subject_token_type: '' }, 400, 'invalid_request'],
    [{ subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' }, 400, 'invalid_request'],
    [{ requested_token_type: 'urn:ietf:params:oauth:token-type:id_token' }, 400, 'invalid_request'],
    [{ actor_token: 'x' }, 400, 'invalid_request'],
    [{ actor_token_type: type }, 400, 'invalid_request'],
    [{ audience: 'elsewhere' }, 400, 'invalid_target'],
    [{ resource: 'https://elsewhere.example' }, 400, 'invalid_target'],
    [{ subject_token: 'a b' }, 400, 'invalid_request'],
    [{ grant_type: 'toString' }, 400, 'unsupported_grant_type'],
  ])('refuses %j', async (more, status, error) => {
    const { server, app, tokenInfo } = await startSso()
    const key = await newApiKey(server, app)
    const answer = await oauth(server, '/oauth/token', { ...form, ...more }, { key })
    expect([answer.status, answer.body['error']]).toEqual([status, error])
    expect(tokenInfo.asked).toEqual([])
  })

  test('takes several targets that are all its own, and nothing for what has no value', async () => {
    const { server, app } = await startSso({ audiences: ['https://api.example/', 'games'] })
    const key = await newApiKey(server, app)
    const ask = async (more: string) => {
      const { status, body } = await oauth(server, '/oauth/token', `${new URLSearchParams(form).toString()}${more}`, {
        key,
      })
      return [status, body['error']]
    }
    const own = '&resource=https%3A%2F%2Fapi.example%2F'
    expect(await ask(`&audience=games&audience=${app.slug}${own}${own}`)).toEqual([200, undefined])
    expect(await ask(`&audience=games&audience=elsewhere`)).toEqual([400, 'invalid_target'])
    expect(await ask('&audience=&actor_token=&requested_token_type=&scope=')).toEqual([200, undefined])
    expect(await ask('&subject_token=b')).toEqual([400, 'invalid_request'])
  })

  test('says invalid_request for a token that is not accepted, and asks nobody without a key', async () => {
    const { server, app, tokenInfo } = await startSso()
    const anonymous = await oauth(server, '/oauth/token', { ...form, client_id: app.slug })
    expect([anonymous.status, anonymous.body['error']]).toEqual([401, 'invalid_client'])
    expect(tokenInfo.asked).toEqual([])
    tokenInfo.answer = (_asked, response) => response.writeHead(401).end()
    const answer = await oauth(server, '/oauth/token', form, { key: await newApiKey(server, app) })
    expect([answer.status, answer.body['error']]).toEqual([400, 'invalid_request'])
    tokenInfo.answer = (_asked, response) => response.destroy()
    const failed = await oauth(
      server,
      '/oauth/token',
      { ...form, subject_token: 'b' },
      { key: await newApiKey(server, app) },
    )
    expect(failed.status).toBe(502)
  })
})
