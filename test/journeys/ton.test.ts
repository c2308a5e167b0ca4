import { generateKeyPairSync, sign } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { beginCell, Cell, contractAddress, storeStateInit } from '@ton/core'
import { describe, expect, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { listen } from '../support/listen.ts'
import { call, startServer, type Answer, type TestServer } from '../support/server.ts'
import { checkSession } from '../support/signIn.ts'
import { account, newWallet, signNonce, tonProof, versions, type TestWallet } from '../support/wallet.ts'

const DOMAIN = 'quest.example.com'
type App = { slug: string; id: number }

const tonApp = (server: TestServer, slug = 'quest') =>
  server.createApp({ slug, ton: { domains: [DOMAIN] }, sessionPolicy: { maxConcurrentSessions: 100 } })

async function askNonce(server: TestServer, app: App, address?: string): Promise<{ id: string; nonce: string }> {
  const answer = await call(server, 'POST', `/v1/apps/${app.slug}/ton/nonce`, { body: address ? { address } : {} })
  expect(answer.status).toBe(201)
  return answer.body as { id: string; nonce: string }
}

const login = (server: TestServer, app: App, body: unknown) =>
  call(server, 'POST', `/v1/apps/${app.slug}/ton/login`, { body })

/** A login by signed nonce, with what the test changes of it. */
async function withNonce(server: TestServer, app: App, wallet: TestWallet, change: object = {}): Promise<Answer> {
  const { id, nonce } = await askNonce(server, app)
  return login(server, app, {
    id,
    address: wallet.address,
    signedMessage: signNonce(wallet, nonce),
    stateInit: wallet.stateInit,
    ...change,
  })
}

/** A login by ton_proof, with what the test changes of it. */
async function withProof(
  server: TestServer,
  app: App,
  wallet: TestWallet,
  change: { proof?: object; account?: object; make?: Parameters<typeof tonProof>[3] } = {},
): Promise<Answer> {
  const { id, nonce } = await askNonce(server, app)
  return login(server, app, {
    id,
    account: { ...account(wallet), ...change.account },
    proof: { ...tonProof(wallet, nonce, server.clock.now, change.make), ...change.proof },
  })
}

const outcome = (answer: Answer) => [answer.status, answer.body['code']]

test('a nonce has the shape that the contract names', async () => {
  const server = await startServer()
  const app = await tonApp(server)
  const answer = await call(server, 'POST', '/v1/apps/quest/ton/nonce', { body: {} })
  expect(answer.status).toBe(201)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.body).toEqual({
    id: expect.stringMatching(/^non_[0-9a-z]{26}$/),
    nonce: expect.stringMatching(/^[\w-]{43}$/),
    timestamp: '2026-06-01T12:00:00.000Z',
    expiresAt: '2026-06-01T12:05:00.000Z',
  })
  const nonces = await Promise.all(Array.from({ length: 50 }, () => askNonce(server, app)))
  expect(new Set(nonces.flatMap(({ id, nonce }) => [id, nonce])).size).toBe(100)
  const bad = await call(server, 'POST', '/v1/apps/quest/ton/nonce', { body: { address: 'EQnonsense' } })
  expect(outcome(bad)).toEqual([400, 'invalid_request'])
})

describe.each(versions)('a %s wallet', (version) => {
  test('signs in by nonce and by ton_proof, and is one user', async () => {
    const server = await startServer()
    const app = await tonApp(server)
    const wallet = newWallet(version)
    const byNonce = await withNonce(server, app, wallet)
    expect(byNonce.status).toBe(200)
    expect((await checkSession(server, byNonce.body['accessToken'])).status).toBe(200)
    const byProof = await withProof(server, app, wallet, {
      account: { chain: version === 'V5R1testnet' ? '-3' : '-239', address: wallet.friendly },
    })
    expect([byProof.status, byProof.body['user'].id]).toEqual([200, byNonce.body['user'].id])
  })
})

test('base64url and hexadecimal signatures, a hexadecimal key and a string timestamp are taken too', async () => {
  const server = await startServer()
  const app = await tonApp(server)
  const wallet = newWallet()
  for (const encoding of ['base64url', 'hex'] as const) {
    const { id, nonce } = await askNonce(server, app)
    const signedMessage = Buffer.from(signNonce(wallet, nonce), 'base64').toString(encoding)
    const { address, stateInit } = wallet
    const publicKey = wallet.publicKey.toString(encoding)
    expect((await login(server, app, { id, address, signedMessage, stateInit, publicKey })).status).toBe(200)
  }
  const timestamp = String(Math.floor(server.clock.now.getTime() / 1000))
  expect((await withProof(server, app, wallet, { proof: { timestamp } })).status).toBe(200)
})

test('a state init is taken in either alphabet of base64, padded or not, for what decides is its hash', async () => {
  const server = await startServer()
  const app = await tonApp(server)
  const spellings = [
    (text: string) => text.replaceAll('+', '-').replaceAll('/', '_'),
    (text: string) => text.replace(/=+$/, ''),
    (text: string) => Buffer.from(text, 'base64').toString('base64url'),
  ]
  for (const [at, spell] of spellings.entries()) {
    const wallet = newWallet()
    const answer = await withProof(server, app, wallet, { account: { walletStateInit: spell(wallet.stateInit) } })
    expect([at, answer.status]).toEqual([at, 200])
    expect((await withNonce(server, app, wallet, { stateInit: spell(wallet.stateInit) })).status).toBe(200)
    for (const rubbish of [` ${wallet.stateInit}`, wallet.stateInit.replace(/.$/, '*'), `${wallet.stateInit}====`])
      expect(outcome(await withNonce(server, app, wallet, { stateInit: rubbish }))).toEqual([400, 'invalid_request'])
  }
})

test('what is wrong is told of the member that it is in', async () => {
  const server = await startServer()
  const app = await tonApp(server)
  const wallet = newWallet()
  const faults = (answer: Answer) => answer.body['errors'].map((fault: { path: string }) => fault.path)
  expect(faults(await withProof(server, app, wallet, { account: { publicKey: 7 } }))).toEqual(['account.publicKey'])
  expect(faults(await withProof(server, app, wallet, { proof: { domain: DOMAIN } }))).toEqual(['proof.domain'])
  expect(faults(await withNonce(server, app, wallet, { signedMessage: null }))).toEqual(['signedMessage'])
  expect(faults(await login(server, app, { proof: {} }))).toEqual(
    expect.arrayContaining(['id', 'account', 'proof.timestamp']),
  )
  expect(faults(await login(server, app, {}))).toEqual(['id', 'signedMessage'])
  expect((await withProof(server, app, wallet, { account: { chain: -239 } })).status).toBe(200)
})

test('every part of a proof is bound: whatever is changed, it is refused with its code', async () => {
  const server = await startServer()
  const app = await tonApp(server)
  const [wallet, thief] = [newWallet(), newWallet()]
  const now = Math.floor(server.clock.now.getTime() / 1000)
  const foreign = await askNonce(server, app)
  const other = await tonApp(server, 'other')
  const elsewhere = await askNonce(server, other)
  const proofs: [Parameters<typeof withProof>[3], number, string][] = [
    [{ make: { domain: 'evil.example.com' } }, 401, 'invalid_signature'],
    [{ make: { domain: 'QUEST.example.com' } }, 401, 'invalid_signature'],
    [{ proof: { domain: { value: DOMAIN, lengthBytes: 3 } } }, 400, 'invalid_request'],
    [{ make: { timestamp: now - 301 } }, 401, 'login_expired'],
    [{ make: { timestamp: now + 61 } }, 401, 'login_expired'],
    [{ proof: { timestamp: now - 1 } }, 401, 'invalid_signature'],
    [{ proof: { timestamp: -1 } }, 400, 'invalid_request'],
    [{ proof: { timestamp: 1e300 } }, 400, 'invalid_request'],
    [{ proof: tonProof(wallet, foreign.nonce, server.clock.now) }, 401, 'nonce_invalid'],
    [{ proof: { payload: '' } }, 401, 'nonce_invalid'],
    [{ proof: { signature: Buffer.alloc(64).toString('base64') } }, 401, 'invalid_signature'],
    [{ proof: { signature: 'AAAA' } }, 400, 'invalid_request'],
    [{ account: { address: thief.address } }, 401, 'invalid_signature'],
    [{ account: { publicKey: thief.publicKey.toString('hex') } }, 401, 'invalid_signature'],
    [{ account: { publicKey: 'zz' } }, 400, 'invalid_request'],
    [{ account: { walletStateInit: thief.stateInit } }, 401, 'invalid_signature'],
    [{ account: { walletStateInit: 'AAAA' } }, 400, 'invalid_request'],
    [{ account: { chain: '-240' } }, 401, 'invalid_signature'],
  ]
  for (const [change, status, code] of proofs) {
    const answer = await withProof(server, app, wallet, change)
    expect(outcome(answer), JSON.stringify(change)).toEqual([status, code])
  }

  const { nonce } = await askNonce(server, app)
  const signed: [object, number, string][] = [
    [{ signedMessage: signNonce(wallet, 'another text') }, 401, 'invalid_signature'],
    [{ id: foreign.id }, 401, 'invalid_signature'],
    [{ id: elsewhere.id, signedMessage: signNonce(wallet, elsewhere.nonce) }, 401, 'nonce_invalid'],
    [{ id: 'non_00000000000000000000000000' }, 401, 'nonce_invalid'],
    [{ id: "' or 1=1 --" }, 401, 'nonce_invalid'],
    [{ id: foreign.id.replace('non_', 'usr_') }, 401, 'nonce_invalid'],
    // The account that is signed in is the signer's, whatever the body says.
    [{ address: thief.address }, 401, 'invalid_signature'],
    [{ address: thief.address, stateInit: thief.stateInit }, 401, 'invalid_signature'],
    [{ publicKey: thief.publicKey.toString('hex') }, 401, 'invalid_signature'],
    [{ userId: 'usr_1' }, 400, 'invalid_request'],
    [{ signedMessage: nonce }, 400, 'invalid_request'],
    [{ address: '0:00' }, 400, 'invalid_request'],
    [{ stateInit: 'A'.repeat(5000) }, 400, 'invalid_request'],
  ]
  for (const [change, status, code] of signed) {
    const answer = await withNonce(server, app, wallet, change)
    expect(outcome(answer), JSON.stringify(change).slice(0, 100)).toEqual([status, code])
  }
})

test('a nonce serves once, for five minutes to the second; used, expired and unknown look the same', async () => {
  const server = await startServer()
  const app = await tonApp(server)
  const wallet = newWallet()
  const body = ({ id, nonce }: { id: string; nonce: string }) => ({
    id,
    address: wallet.address,
    signedMessage: signNonce(wallet, nonce),
    stateInit: wallet.stateInit,
  })
  const [first, second] = [await askNonce(server, app), await askNonce(server, app)]
  server.clock.pass(299)
  expect((await login(server, app, body(first))).status).toBe(200)
  const used = await login(server, app, body(first))
  server.clock.pass(1)
  const expired = await login(server, app, body(second))
  const unknown = await login(server, app, body({ id: 'non_00000000000000000000000000', nonce: 'x' }))
  for (const answer of [used, expired, unknown]) {
    expect(outcome(answer)).toEqual([401, 'nonce_invalid'])
    expect({ ...answer.body, requestId: '' }).toEqual({ ...used.body, requestId: '' })
  }
})

test.each(['nonce', 'proof'])('fifty uses of one nonce at once by %s sign in once', async (kind) => {
  const server = await startServer()
  const app = await tonApp(server)
  const wallet = newWallet('V5R1')
  const { id, nonce } = await askNonce(server, app)
  const body =
    kind === 'nonce'
      ? { id, address: wallet.address, signedMessage: signNonce(wallet, nonce), stateInit: wallet.stateInit }
      : { id, account: account(wallet), proof: tonProof(wallet, nonce, server.clock.now) }
  const answers = await Promise.all(Array.from({ length: 50 }, () => login(server, app, body)))
  expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1)
  expect(new Set(answers.filter((answer) => answer.status !== 200).map((answer) => answer.body['code']))).toEqual(
    new Set(['nonce_invalid']),
  )
})

test('a nonce asked for one address serves no other, in whatever spelling', async () => {
  const server = await startServer()
  const app = await tonApp(server)
  const [wallet, other] = [newWallet(), newWallet()]
  const bound = await askNonce(server, app, wallet.friendly)
  const by = (signer: TestWallet) => ({
    id: bound.id,
    address: signer.address,
    signedMessage: signNonce(signer, bound.nonce),
    stateInit: signer.stateInit,
  })
  expect(outcome(await login(server, app, by(other)))).toEqual([401, 'nonce_invalid'])
  expect((await login(server, app, by(wallet))).status).toBe(200)
})

test('a failed login does not use the nonce up', async () => {
  const server = await startServer()
  const app = await server.createApp({ slug: 'full', sessionPolicy: { limitPolicy: 'reject' } })
  const wallet = newWallet()
  const first = await withNonce(server, app, wallet)
  const { id, nonce } = await askNonce(server, app)
  const body = { id, address: wallet.address, signedMessage: signNonce(wallet, nonce), stateInit: wallet.stateInit }
  expect(outcome(await login(server, app, body))).toEqual([409, 'session_limit_reached'])
  await call(server, 'POST', '/v1/logout', { token: first.body['accessToken'] })
  expect((await login(server, app, body)).status).toBe(200)
})

describe('the key from the chain', () => {
  type Asked = { path: string | undefined; key: string | undefined; body: Record<string, unknown> }

  /** A local server in toncenter's shape. */
  async function toncenter(reply: (response: ServerResponse, request: IncomingMessage) => void) {
    const asked: Asked[] = []
    const url = await listen((request, response) => {
      let text = ''
      request.on('data', (part) => (text += part))
      request.on('end', () => {
        asked.push({
          path: request.url,
          key: request.headers['x-api-key'] as string | undefined,
          body: JSON.parse(text) as Record<string, unknown>,
        })
        reply(response, request)
      })
    })
    return { url: `${url}/api/v2`, asked }
  }

  const json =
    (body: unknown, status = 200) =>
    (response: ServerResponse) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
  const hex = (key: Buffer) => `0x${BigInt(`0x${key.toString('hex')}`).toString(16)}`
  const v2 = (key: Buffer) => ({
    ok: true,
    result: { '@type': 'smc.runResult', exit_code: 0, stack: [['num', hex(key)]] },
  })
  const v3 = (key: Buffer) => ({ gas_used: 549, exit_code: 0, stack: [{ type: 'num', value: hex(key) }] })

  /** A wallet whose key begins with a zero byte, which the chain's integer leaves out. */
  function shortKey(): TestWallet {
    for (let seed = 0; ; seed++) {
      const bytes = Buffer.alloc(32)
      bytes.writeUInt32LE(seed)
      const wallet = newWallet('V4R2', bytes)
      if (wallet.publicKey[0] === 0) return wallet
    }
  }

  async function chainServer(reply: (response: ServerResponse, request: IncomingMessage) => void) {
    const chain = await toncenter(reply)
    const server = await startServer({ env: { TON_API_URL: chain.url, TON_API_KEY: 'the-ton-api-key' } })
    return { ...chain, server, app: await tonApp(server) }
  }

  test('without an API there is none', async () => {
    const server = await startServer()
    const app = await tonApp(server)
    const wallet = newWallet()
    expect(outcome(await withNonce(server, app, wallet, { stateInit: undefined }))).toEqual([
      503,
      'chain_not_configured',
    ])
    // The key that the client names proves nothing.
    const publicKey = wallet.publicKey.toString('hex')
    const named = await withNonce(server, app, wallet, { stateInit: undefined, publicKey })
    expect(outcome(named)).toEqual([503, 'chain_not_configured'])
  })

  test.each([
    ['v2', v2],
    ['v3', v3],
  ])('is read in the shape of %s, left-padded', async (_, shape) => {
    const wallet = shortKey()
    const { server, app, asked } = await chainServer(json(shape(wallet.publicKey)))
    expect((await withNonce(server, app, wallet, { stateInit: undefined })).status).toBe(200)
    expect(asked).toEqual([
      {
        path: '/api/v2/runGetMethod',
        key: 'the-ton-api-key',
        body: { address: wallet.address, method: 'get_public_key', stack: [] },
      },
    ])
    expect((await withProof(server, app, wallet, { account: { walletStateInit: undefined } })).status).toBe(200)
    const thief = newWallet()
    const publicKey = thief.publicKey.toString('hex')
    expect(outcome(await withNonce(server, app, wallet, { stateInit: undefined, publicKey }))).toEqual([
      401,
      'invalid_signature',
    ])
  })

  test("another key than the signer's is a refused login", async () => {
    const { server, app } = await chainServer(json(v2(newWallet().publicKey)))
    expect(outcome(await withNonce(server, app, newWallet(), { stateInit: undefined }))).toEqual([
      401,
      'invalid_signature',
    ])
  })

  test('a contract of another make is asked for its key, whatever its state init says', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url')
    const init = { code: new Cell(), data: beginCell().storeBuffer(raw).endCell() }
    const stateInit = beginCell().store(storeStateInit(init)).endCell().toBoc().toString('base64')
    const { server, app, asked } = await chainServer(json(v3(raw)))
    const { id, nonce } = await askNonce(server, app)
    const address = contractAddress(0, init).toRawString()
    const signedMessage = sign(null, Buffer.from(nonce), privateKey).toString('base64')
    expect((await login(server, app, { id, address, signedMessage, stateInit })).status).toBe(200)
    expect(asked).toHaveLength(1)
  })

  test.each([
    ['is not deployed (v2)', json({ ok: true, result: { exit_code: -13, stack: [] } })],
    ['is not deployed (v3)', json({ exit_code: -256, stack: [] })],
    ['has no such method', json({ ok: true, result: { exit_code: 11, stack: [] } })],
    ["is refused by the liteserver's 542", json({ ok: false, error: 'LITE_SERVER_UNKNOWN', code: 542 }, 542)],
    ['answers zero', json({ ok: true, result: { exit_code: 0, stack: [['num', '0x0']] } })],
    ['answers no number', json({ ok: true, result: { exit_code: 0, stack: [['cell', {}]] } })],
  ])('a wallet that %s is told to send its state init', async (_, reply) => {
    const { server, app } = await chainServer(reply)
    const answer = await withNonce(server, app, newWallet(), { stateInit: undefined })
    expect(outcome(answer)).toEqual([401, 'invalid_signature'])
    expect(answer.body['detail']).toContain('state init')
  })

  test.each<[string, (response: ServerResponse, request: IncomingMessage) => void]>([
    ['429', (response) => void response.writeHead(429, { 'retry-after': '7' }).end('{}')],
    ['500', json({ ok: false }, 500)],
    ['401', json({ ok: false, error: 'API key does not exist' }, 401)],
    ['a redirect', (response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
    ['a closed connection', (_, request) => request.socket.destroy()],
    [
      'half an answer',
      (response) => void response.writeHead(200, { 'content-length': '99' }).write('{', () => response.destroy()),
    ],
    ['HTML', (response) => void response.end('<html>')],
    ['null', json(null)],
    ['an error in a 200', json({ ok: false, error: 'Internal', code: 500 })],
    ['too much', (response) => void response.end(`"${'x'.repeat(70_000)}"`)],
  ])('%s is the chain being away, never the wallet being wrong', async (name, reply) => {
    const { server, app } = await chainServer(reply)
    const answer = await withNonce(server, app, newWallet(), { stateInit: undefined })
    expect(outcome(answer)).toEqual([503, 'chain_unavailable'])
    expect(answer.headers.get('retry-after')).toBe(name === '429' ? '7' : '2')
    expect(JSON.stringify(answer.body)).not.toContain('127.0.0.1')
    expect(server.logged()).not.toContain('the-ton-api-key')
  })

  test('is not asked of a wallet known from an earlier login', async () => {
    const { server, app, asked } = await chainServer(json({}, 500))
    const wallet = newWallet('V5R1')
    const first = await withNonce(server, app, wallet)
    const again = await withNonce(server, app, wallet, { stateInit: undefined })
    expect([again.status, again.body['user'].id]).toEqual([200, first.body['user'].id])
    expect(asked).toHaveLength(0)
    // What one app knows serves no other.
    const other = await tonApp(server, 'other')
    expect(outcome(await withNonce(server, other, wallet, { stateInit: undefined }))).toEqual([
      503,
      'chain_unavailable',
    ])
  })
})

test('a testnet wallet is refused by an app for mainnet, also when it is known from before', async () => {
  const server = await startServer()
  const app = await tonApp(server)
  const wallet = newWallet('V5R1testnet')
  expect((await withNonce(server, app, wallet)).status).toBe(200)
  await changeApp(server.runtime, cliActor, app.id, { ton: { chains: ['-239'] } })
  expect(outcome(await withNonce(server, app, wallet))).toEqual([401, 'invalid_signature'])
  expect(outcome(await withNonce(server, app, wallet, { stateInit: undefined }))).toEqual([401, 'invalid_signature'])
  expect((await withNonce(server, app, newWallet('V5R1'))).status).toBe(200)
})
