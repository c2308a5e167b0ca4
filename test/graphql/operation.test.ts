import { describe, expect, test } from 'vitest'
import { updateData } from '#server/profile/store.ts'
import { call, startServer } from '../support/server.ts'
import { createProfile, findProfile, generateNonce, graphql, newWallet, refusedWith, signed, signIn } from './nabi.ts'

async function start(env: Record<string, string> = {}) {
  const server = await startServer({ env })
  const app = await server.createApp()
  return { server, app, path: `/v1/apps/${app.slug}/graphql` }
}

const query = '{ generateNonce { id } }'

describe('only POST with JSON is taken', () => {
  test.each(['GET', 'PUT', 'DELETE'])('%s is 405', async (method) => {
    const { server, path } = await start()
    const answer = await call(server, method, `${path}?query=${encodeURIComponent(query)}`)
    expect([answer.status, answer.body['code']]).toEqual([405, 'method_not_allowed'])
    expect(answer.headers.get('allow')).toBe('POST')
  })

  test.each([
    ['text/plain', JSON.stringify({ query })],
    ['application/graphql', query],
    ['application/x-www-form-urlencoded', `query=${encodeURIComponent(query)}`],
    [
      'multipart/form-data; boundary=x',
      `--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n{}\r\n--x--\r\n`,
    ],
  ])('%s is 415', async (type, body) => {
    const { server, path } = await start()
    const answer = await call(server, 'POST', path, { body, headers: { 'content-type': type } })
    expect([answer.status, answer.body['code']]).toEqual([415, 'unsupported_media_type'])
  })

  test('broken JSON is 400 and more than 256 KiB 413', async () => {
    const { server, path } = await start()
    const broken = await call(server, 'POST', path, { body: '{"query":' })
    expect([broken.status, broken.body['code']]).toEqual([400, 'invalid_request'])
    const large = await call(server, 'POST', path, { body: { query, variables: { filler: 'x'.repeat(262_144) } } })
    expect([large.status, large.body['code']]).toEqual([413, 'payload_too_large'])
  })

  test.each([
    ['a batch', [{ query }, { query }]],
    ['an empty batch', []],
    ['nothing', {}],
    ['a persisted query', { extensions: { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } } }],
    ['a query that is no text', { query: { toString: 'x' } }],
    ['variables that are a list', { query, variables: [] }],
    ['a member that is not of GraphQL', { query, userId: 'usr_1' }],
  ])('%s is 400', async (_what, body) => {
    const { server, path } = await start()
    expect(refusedWith(await call(server, 'POST', path, { body }))).toEqual([400, 'invalid_request'])
  })

  test('the answer has the media type that the client prefers, and the same status', async () => {
    const { server, path } = await start()
    for (const [accept, type] of [
      ['application/graphql-response+json, application/json;q=0.9', 'application/graphql-response+json; charset=utf-8'],
      ['application/json', 'application/json; charset=utf-8'],
      ['text/event-stream', 'application/json; charset=utf-8'],
      ['multipart/mixed', 'application/json; charset=utf-8'],
    ] as const) {
      for (const [text, status] of [
        [query, 200],
        ['{ me { id } }', 401],
        ['{', 400],
      ] as const) {
        const answer = await call(server, 'POST', path, { body: { query: text }, headers: { accept } })
        expect([answer.status, answer.headers.get('content-type')]).toEqual([status, type])
        expect(answer.headers.get('cache-control')).toBe('no-store')
      }
    }
  })
})

describe('an operation is refused', () => {
  test.each([
    ['that cannot be parsed', '{ generateNonce {'],
    ['that is empty', ''],
    ['with an unknown field', '{ secrets }'],
    ['with an argument missing', '{ getToken { accessToken } }'],
    ['that subscribes', 'subscription { generateNonce { id } }'],
    ['that does not say which of two', 'query A { me { id } } query B { me { id } }'],
    ['with fragments in a circle', 'query { ...a } fragment a on Query { ...b } fragment b on Query { ...a }'],
    ['that is deferred', '{ ... @defer { me { id } } }'],
  ])('%s', async (_what, text) => {
    const { server, app } = await start()
    const answer = await graphql(server, app, text)
    expect(refusedWith(answer)).toEqual([400, 'invalid_request'])
    expect(answer.body).not.toHaveProperty('data')
  })

  test('that has six aliases, written out or through fragments', async () => {
    const { server, app } = await start()
    const field = (alias: number) => `a${alias}: generateNonce { id }`
    const fields = (count: number) => Array.from({ length: count }, (_, alias) => field(alias)).join(' ')
    expect((await graphql(server, app, `{ ${fields(5)} }`)).status).toBe(200)

    const refused = await graphql(server, app, `{ ${fields(6)} }`)
    expect(refusedWith(refused)).toEqual([400, 'invalid_request'])
    expect(refused.body['errors'][0].message).toBe('Aliases limit of 5 exceeded, found 6.')
    const spread = `query { ...f ...g } fragment f on Query { ${fields(3)} } fragment g on Query { ${fields(6)} }`
    expect(refusedWith(await graphql(server, app, spread))).toEqual([400, 'invalid_request'])
  })

  test('that is deeper than 8, has more than 10 directives or 1000 tokens', async () => {
    const { server, app } = await start()
    const deep = '{ ... '.repeat(8) + query + ' }'.repeat(8)
    expect((await graphql(server, app, deep)).body['errors'][0].message).toMatch(/^Query depth limit of 8 exceeded/)
    const directives = `{ generateNonce ${'@include(if: true) '.repeat(11)} { id } }`
    expect((await graphql(server, app, directives)).body['errors'][0].message).toBe('Directives limit of 10 exceeded.')
    const tokens = `{ generateNonce { ${'id '.repeat(1000)} } }`
    expect((await graphql(server, app, tokens)).body['errors'][0].message).toBe('Token limit of 1000 exceeded.')
  })

  test('each time it comes, and one that holds is run each time', async () => {
    const { server, app } = await start()
    const six = `{ ${Array.from({ length: 6 }, (_, alias) => `a${alias}: generateNonce { id }`).join(' ')} }`
    const two = 'query A { generateNonce { id } } query B { __typename }'
    const ids = new Set<string>()
    for (let time = 0; time < 3; time++) {
      expect(refusedWith(await graphql(server, app, six))).toEqual([400, 'invalid_request'])
      expect(refusedWith(await graphql(server, app, two))).toEqual([400, 'invalid_request'])
      ids.add((await graphql(server, app, query)).body['data'].generateNonce.id)
    }
    expect(ids.size).toBe(3)
    const named = { query: two, operationName: 'B' }
    const answer = await call(server, 'POST', `/v1/apps/${app.slug}/graphql`, { body: named })
    expect(answer.body).toEqual({ data: { __typename: 'Query' } })
  })

  test('with at most ten errors, each of bounded length', async () => {
    const { server, app } = await start()
    const answer = await graphql(server, app, `{ ${Array.from({ length: 90 }, (_, field) => `x${field}`).join(' ')} }`)
    expect(answer.body['errors']).toHaveLength(10)
    const long = await graphql(server, app, 'query ($handle: String!) { profile(handle: $handle) { id } }', {
      variables: { handle: { filler: 'x'.repeat(100_000) } },
    })
    expect(refusedWith(long)).toEqual([400, 'invalid_request'])
    expect(JSON.stringify(long.body).length).toBeLessThan(1_000)
  })
})

describe('the schema', () => {
  test('is told to nobody in production, not even by a suggestion', async () => {
    const { server, app, path } = await start()
    for (const text of ['{ __schema { types { name } } }', '{ __type(name: "Query") { name } }']) {
      expect(refusedWith(await graphql(server, app, text))).toEqual([400, 'invalid_request'])
    }
    for (const text of [
      '{ generateNonces { id } }',
      '{ profile(handle: "x", handel: "x") { id } }',
      '{ ... on Profil { id } }',
    ]) {
      const answer = await graphql(server, app, text)
      expect(refusedWith(answer)).toEqual([400, 'invalid_request'])
      expect(JSON.stringify(answer.body)).not.toMatch(/Did you mean|generateNonce\\"|"handle\\"|Profile\\"/)
    }
    expect((await graphql(server, app, '{ __typename }')).body).toEqual({ data: { __typename: 'Query' } })
    const page = await call(server, 'GET', path, { headers: { accept: 'text/html' } })
    expect(page.status).toBe(405)
  })

  test('can be read and tried in development', async () => {
    const { server, app, path } = await start({ GATEHOUSE_ENV: 'development' })
    const types = await graphql(server, app, '{ __schema { mutationType { fields { name } } } }')
    expect(types.body['data'].__schema.mutationType.fields.map(({ name }: { name: string }) => name)).toEqual([
      'generateNonce',
      'getToken',
      'refreshToken',
      'createProfile',
      'updateProfile',
    ])
    const page = await call(server, 'GET', path, { headers: { accept: 'text/html' } })
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html'])
    expect((await call(server, 'GET', `${path}?query=${encodeURIComponent(query)}`)).status).toBe(405)
    const both = { accept: 'text/html' }
    const run = await call(server, 'GET', `${path}?query=${encodeURIComponent(query)}`, { headers: both })
    expect(JSON.stringify(run.body)).not.toContain('non_')
  })
})

test('a fault of ours is told as such, and what it was stands in the log only', async () => {
  const { server, app } = await start()
  const wallet = newWallet()
  const { accessToken } = await signIn(server, app, wallet)
  const created = await createProfile(server, app, accessToken, { handle: 'alice', address: wallet.raw })
  const id = server.runtime.vault.ids.parse('pro', created.body['data'].createProfile.id)!
  // As a disk or a wrong key would leave it.
  await server.runtime.db.transaction((tx) => updateData(tx, id, Buffer.alloc(40), server.clock.now))

  const answer = await findProfile(server, app, 'alice')
  expect(refusedWith(answer)).toEqual([500, 'server_error'])
  const [error] = answer.body['errors']
  expect(error).toEqual({
    message: 'Something went wrong on our side',
    locations: [expect.anything()],
    path: ['profile'],
    extensions: { code: 'server_error', requestId: expect.any(String) },
  })
  const line = server
    .logged()
    .split('\n')
    .find((text) => text.includes(error.extensions.requestId))
  expect(line).toContain('Unreadable sealed value in profiles.data')
  for (const secret of [accessToken, wallet.stateInit]) expect(server.logged()).not.toContain(secret)
})

test('no refusal holds a stack, SQL or what was sent as a secret', async () => {
  const { server, app } = await start()
  const wallet = newWallet()
  const nonce = await generateNonce(server, app)
  const request = signed(wallet, nonce, { signedMessage: newWallet().sign(nonce.nonce).toString('base64') })
  const token = 'gh_rt_' + 'A'.repeat(64)
  const answer = await graphql(
    server,
    app,
    `
      query ($request: GetTokenRequest!, $token: String!) {
        getToken(request: $request) {
          accessToken
        }
        refreshToken(request: { token: $token }) {
          token
        }
        me {
          id
        }
      }
    `,
    { variables: { request, token }, token },
  )
  expect(answer.status).toBe(401)
  expect(answer.body['data']).toEqual({ getToken: null, refreshToken: null, me: null })
  for (const text of [JSON.stringify(answer.body), server.logged()]) {
    for (const secret of [token, request.signedMessage, nonce.nonce, request.stateInit]) {
      expect(text).not.toContain(secret)
    }
    expect(text).not.toMatch(/stack|node_modules|select .* from/i)
  }
})
