import { describe, expect, test } from 'vitest'
import { changeApp } from '#server/app/change.ts'
import { cliActor } from '#server/operator/audit.ts'
import { startServer } from '../support/server.ts'
import {
  createProfile,
  generateNonce,
  getToken,
  graphql,
  me,
  newWallet,
  refreshToken,
  refusedWith,
  signed,
  signIn,
  updateProfile,
} from './nabi.ts'

async function start() {
  const server = await startServer()
  return { server, app: await server.createApp() }
}

const SEVEN_DAYS = 604_800

test('from a nonce to a profile, with the lifetimes that Nabi documents', async () => {
  const { server, app } = await start()
  const wallet = newWallet()

  const nonce = await generateNonce(server, app)
  expect(nonce).toEqual({
    id: expect.stringMatching(/^non_/),
    nonce: expect.stringMatching(/^[\w-]{43}$/),
    timestamp: server.clock.now.toISOString(),
  })
  const login = await getToken(server, app, signed(wallet, nonce))
  expect(login.status).toBe(200)
  expect(login.headers.get('cache-control')).toBe('no-store')
  const tokens = login.body['data'].getToken
  expect(Object.keys(tokens)).toEqual(['accessToken', 'refreshToken'])

  const created = await createProfile(server, app, tokens.accessToken, { handle: 'Alice_1', address: wallet.raw })
  const { profileId } = created.body['data'].createProfile
  const data = { name: 'Alice', bio: 'Hello' }
  const updated = await updateProfile(server, app, tokens.accessToken, { profileId, data })
  expect(updated.body['data'].updateProfile).toMatchObject({ profileId, handle: 'Alice_1', ...data })

  server.clock.pass(31 * 60)
  const late = await me(server, app, tokens.accessToken)
  expect(refusedWith(late)).toEqual([401, 'token_expired'])
  expect(late.headers.get('www-authenticate')).toContain('error="invalid_token"')
  expect(late.body['data']).toEqual({ me: null })

  // "There is no limits on the usage of this refresh token."
  for (let use = 0; use < 3; use++) {
    const refreshed = await refreshToken(server, app, tokens.refreshToken)
    expect(refreshed.status).toBe(200)
    const { token, refreshToken: successor } = refreshed.body['data'].refreshToken
    expect(successor).toBeNull()
    const known = await me(server, app, token)
    expect(known.body['data'].me).toMatchObject({
      address: wallet.raw,
      profiles: [{ handle: 'Alice_1' }],
      session: { appId: app.publicId, method: 'ton' },
    })
    expect(known.body['data'].me.id).toBe(known.body['data'].me.session.userId)
  }

  server.clock.pass(SEVEN_DAYS)
  const spent = await refreshToken(server, app, tokens.refreshToken)
  expect(spent.status).toBe(401)
  for (const secret of [nonce.nonce, tokens.accessToken, tokens.refreshToken]) {
    expect(server.logged()).not.toContain(secret)
  }
})

test('a refresh token ends after 7 days however often it was used', async () => {
  const { server, app } = await start()
  const tokens = await signIn(server, app)
  for (let day = 0; day < 6; day++) {
    server.clock.pass(86_400)
    expect((await refreshToken(server, app, tokens.refreshToken)).status).toBe(200)
  }
  server.clock.pass(86_400)
  expect(refusedWith(await refreshToken(server, app, tokens.refreshToken))).toEqual([401, 'token_expired'])
})

test('an app that rotates its refresh tokens hands the next one out', async () => {
  const { server } = await start()
  const app = await server.createApp({ slug: 'rotating', sessionPolicy: { refreshRotation: true } })
  const tokens = await signIn(server, app)
  const first = await refreshToken(server, app, tokens.refreshToken)
  const { refreshToken: successor } = first.body['data'].refreshToken
  expect(successor).not.toBe(tokens.refreshToken)
  server.clock.pass(60)
  expect((await refreshToken(server, app, successor)).status).toBe(200)
  server.clock.pass(60)
  expect(refusedWith(await refreshToken(server, app, tokens.refreshToken))).toEqual([401, 'session_revoked'])
})

test('access and refresh tokens do not serve for each other, nor in another app', async () => {
  const { server, app } = await start()
  const other = await server.createApp({ slug: 'other' })
  const tokens = await signIn(server, app)
  expect(refusedWith(await me(server, app, tokens.refreshToken))).toEqual([401, 'token_invalid'])
  expect(refusedWith(await refreshToken(server, app, tokens.accessToken))).toEqual([401, 'token_invalid'])
  expect(refusedWith(await me(server, other, tokens.accessToken))).toEqual([401, 'token_invalid'])
  expect(refusedWith(await refreshToken(server, other, tokens.refreshToken))).toEqual([401, 'token_invalid'])
  expect(refusedWith(await graphql(server, app, '{ me { id } }'))).toEqual([401, 'token_invalid'])
})

test('the session of a wallet that signed in elsewhere is over, and its token says why', async () => {
  const { server, app } = await start()
  const wallet = newWallet()
  const first = await signIn(server, app, wallet)
  await signIn(server, app, wallet)
  const refused = await me(server, app, first.accessToken)
  expect(refusedWith(refused)).toEqual([401, 'session_revoked'])
  expect(refused.body['errors'][0].extensions).toMatchObject({
    reason: 'limit_exceeded',
    endedAt: server.clock.now.toISOString(),
  })
  expect(refusedWith(await refreshToken(server, app, first.refreshToken))).toEqual([401, 'session_revoked'])
})

describe('nonce', () => {
  test('used, expired, unknown and another’s are refused in one and the same answer', async () => {
    const { server, app } = await start()
    const other = await server.createApp({ slug: 'other' })
    const wallet = newWallet()

    const used = signed(wallet, await generateNonce(server, app))
    expect((await getToken(server, app, used)).status).toBe(200)
    const expired = signed(wallet, await generateNonce(server, app))
    server.clock.pass(301)
    const foreign = signed(wallet, await generateNonce(server, other))
    const ofAnotherWallet = signed(wallet, await generateNonce(server, app, newWallet().raw))
    const unknown = signed(wallet, { id: 'non_00000000000000000000000000', nonce: 'nothing' })

    const answers = []
    for (const request of [used, expired, foreign, ofAnotherWallet, unknown]) {
      const answer = await getToken(server, app, request)
      delete answer.body['errors'][0].extensions.requestId
      answers.push([answer.status, answer.body])
    }
    expect(answers[0]).toEqual([
      401,
      {
        errors: [
          {
            message: 'The nonce is unknown, was used, or has expired; ask for a new one',
            locations: [{ line: 3, column: 5 }],
            path: ['getToken'],
            extensions: { code: 'nonce_invalid' },
          },
        ],
        data: { getToken: null },
      },
    ])
    for (const answer of answers) expect(answer).toEqual(answers[0])
  })

  test('serves to its last second', async () => {
    const { server, app } = await start()
    const request = signed(newWallet(), await generateNonce(server, app))
    server.clock.pass(299)
    expect((await getToken(server, app, request)).status).toBe(200)
  })

  test('serves one of fifty logins at once', async () => {
    const { server, app } = await start()
    const request = signed(newWallet(), await generateNonce(server, app))
    const logins = await Promise.all(Array.from({ length: 50 }, () => getToken(server, app, request)))
    expect(logins.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(logins.filter((login) => refusedWith(login).join() === '401,nonce_invalid')).toHaveLength(49)
  })

  test('serves one of the aliases of one request', async () => {
    const { server, app } = await start()
    const request = signed(newWallet(), await generateNonce(server, app))
    const field = (alias: string) => `${alias}: getToken(request: $request) { accessToken }`
    for (const kind of ['query', 'mutation']) {
      const answer = await graphql(
        server,
        app,
        `${kind} ($request: GetTokenRequest!) { ${field('a')} ${field('b')} ${field('c')} }`,
        { variables: { request } },
      )
      expect(answer.status).toBe(401)
      const granted = Object.values(answer.body['data']).filter((value) => value !== null)
      expect(granted).toHaveLength(kind === 'query' ? 1 : 0)
    }
  })

  test('is not spent by a refused login', async () => {
    const { server, app } = await start()
    const wallet = newWallet()
    const nonce = await generateNonce(server, app)
    const forged = { signedMessage: newWallet().sign(nonce.nonce).toString('hex') }
    expect(refusedWith(await getToken(server, app, signed(wallet, nonce, forged)))).toEqual([401, 'invalid_signature'])
    expect((await getToken(server, app, signed(wallet, nonce))).status).toBe(200)
  })
})

describe('the wallet', () => {
  test.each(['V4', 'V5R1'] as const)(
    'of version %s may name itself raw, friendly or by its state init',
    async (version) => {
      const { server, app } = await start()
      const wallet = newWallet(version)
      const spellings = [
        { address: wallet.raw },
        { address: wallet.raw.toUpperCase() },
        { address: wallet.friendly(true) },
        { address: wallet.friendly(false) },
        { address: undefined },
        { address: null },
      ]
      for (const spelling of spellings) {
        const answer = await getToken(server, app, signed(wallet, await generateNonce(server, app), spelling))
        expect(answer.status, JSON.stringify(spelling)).toBe(200)
        const known = await me(server, app, answer.body['data'].getToken.accessToken)
        expect(known.body['data'].me.address).toBe(wallet.raw)
      }
    },
  )

  test.each(['base64', 'base64url', 'hex'] as const)('may send its signature as %s', async (encoding) => {
    const { server, app } = await start()
    const wallet = newWallet()
    const nonce = await generateNonce(server, app)
    const signedMessage = wallet.sign(nonce.nonce).toString(encoding)
    expect((await getToken(server, app, signed(wallet, nonce, { signedMessage }))).status).toBe(200)
  })

  test('that has signed in before needs no state init', async () => {
    const { server, app } = await start()
    const wallet = newWallet()
    await signIn(server, app, wallet)
    const again = signed(wallet, await generateNonce(server, app), { stateInit: undefined })
    expect((await getToken(server, app, again)).status).toBe(200)
  })

  test('is never the one whose address, but not whose key, was sent', async () => {
    const { server, app } = await start()
    const [victim, thief] = [newWallet(), newWallet()]
    const attempt = async (change: Record<string, unknown>) => {
      const nonce = await generateNonce(server, app)
      return refusedWith(await getToken(server, app, signed(thief, nonce, change)))
    }
    const claims = { address: victim.raw, publicKey: thief.publicKey }

    // The thief's state init is another address's; the victim's names another key.
    expect(await attempt(claims)).toEqual([401, 'invalid_signature'])
    expect(await attempt({ ...claims, stateInit: victim.stateInit })).toEqual([401, 'invalid_signature'])
    expect(await attempt({ ...claims, stateInit: victim.stateInit, publicKey: victim.publicKey })).toEqual([
      401,
      'invalid_signature',
    ])
    // With nothing but the key that was sent there is nothing to go by, and then only the victim's own key.
    expect(await attempt({ ...claims, stateInit: undefined })).toEqual([503, 'chain_not_configured'])
    await signIn(server, app, victim)
    expect(await attempt({ ...claims, stateInit: undefined })).toEqual([401, 'invalid_signature'])
    expect(await attempt({ ...claims, publicKey: undefined, stateInit: undefined })).toEqual([401, 'invalid_signature'])
    // Without an address the state init alone says whose login it is.
    expect(await attempt({ address: undefined, stateInit: victim.stateInit })).toEqual([401, 'invalid_signature'])
  })

  test.each([
    ['neither address nor state init', { address: undefined, stateInit: undefined }],
    ['an address cut short', { address: newWallet().friendly(true).slice(0, 47) }],
    ['a state init that is none', { address: undefined, stateInit: 'AAAA' }],
    ['a signature of 63 bytes', { signedMessage: Buffer.alloc(63).toString('base64') }],
    ['an endless signature', { signedMessage: 'A'.repeat(10_000) }],
    ['a number for a signature', { signedMessage: 5 }],
    ['an unknown member', { admin: true }],
  ])('is asked again for %s', async (_what, change) => {
    const { server, app } = await start()
    const answer = await getToken(server, app, signed(newWallet(), await generateNonce(server, app), change))
    expect(refusedWith(answer)).toEqual([400, 'invalid_request'])
    expect(answer.body['data']?.getToken ?? null).toBeNull()
  })

  test('must be of a network that the app accepts', async () => {
    const { server } = await start()
    const app = await server.createApp({ slug: 'testnet', ton: { chains: ['-3'] } })
    const answer = await getToken(server, app, signed(newWallet('V5R1'), await generateNonce(server, app)))
    expect(refusedWith(answer)).toEqual([401, 'invalid_signature'])
  })
})

test('each alias of a login field is a try of its own', async () => {
  const { server } = await start()
  const app = await server.createApp({ slug: 'strict', rateLimits: { signInPerAddress: 4 } })
  const three = 'mutation { a: generateNonce { id } b: generateNonce { id } c: generateNonce { id } }'
  const first = await graphql(server, app, three)
  expect(first.status).toBe(200)
  expect(first.headers.get('ratelimit')).toMatch(/r=1;/)
  const second = await graphql(server, app, three)
  expect(refusedWith(second)).toEqual([429, 'rate_limited'])
  expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(second.headers.get('ratelimit')).toMatch(/r=0;/)
  expect(second.body['data']).toEqual({ a: { id: expect.any(String) }, b: null, c: null })
})

test('a missing app is not found and one that is switched off says so', async () => {
  const { server, app } = await start()
  const missing = await graphql(server, { ...app, slug: 'nowhere' }, '{ generateNonce { id } }')
  expect(refusedWith(missing)).toEqual([404, 'not_found'])
  await changeApp(server.runtime, cliActor, app.id, { disabled: true })
  expect(refusedWith(await graphql(server, app, '{ generateNonce { id } }'))).toEqual([403, 'app_disabled'])
})
