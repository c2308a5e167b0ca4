import { expect, test } from 'vitest'
import { bearer, operatorToken } from '../support/operator.ts'
import { checkSession, signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { call, startServer, type Answer, type TestServer } from '../support/server.ts'
import { connectProof, nonceProof, signInWithWallet } from '../support/tonLogin.ts'
import { person } from '../support/telegram.ts'
import { newWallet, signNonce } from '../support/wallet.ts'

const app = (server: TestServer, slug = 'quest') =>
  telegramApp(server, { slug, ton: { domains: ['quest.example.com'] }, sessionPolicy: { maxConcurrentSessions: 9 } })

const wallets = (server: TestServer, token: string) => call(server, 'GET', '/v1/me/wallets', { token })
const link = (server: TestServer, token: string, body: unknown) =>
  call(server, 'POST', '/v1/me/wallets', { token, body })
const unlink = (server: TestServer, token: string, address: string) =>
  call(server, 'DELETE', `/v1/me/wallets/${encodeURIComponent(address)}`, { token })
const outcome = (answer: Answer) => [answer.status, answer.body['code'], answer.body['reason']]
const addresses = async (server: TestServer, token: string) =>
  (await wallets(server, token)).body['items'].map((wallet: { address: string }) => wallet.address)

test('a wallet is linked by either proof, listed, and signs the same person in', async () => {
  const server = await startServer()
  const quest = await app(server)
  const login = await signInWithTelegram(server, quest)
  const token = login.body['accessToken']
  const [first, second] = [newWallet('V4R2'), newWallet('V5R1')]
  expect((await wallets(server, token)).body).toEqual({ items: [], nextCursor: null })

  const linked = await link(server, token, await nonceProof(server, quest, first))
  expect([linked.status, linked.body]).toEqual([
    201,
    {
      address: first.address,
      friendly: expect.stringMatching(/^UQ[\w-]{46}$/),
      network: '-239',
      version: 'V4R2',
      publicKey: first.publicKey.toString('hex'),
      linkedAt: '2026-06-01T12:00:00.000Z',
      current: false,
    },
  ])
  expect((await link(server, token, await connectProof(server, quest, second))).status).toBe(201)
  expect(await addresses(server, token)).toEqual([first.address, second.address])

  const byWallet = await signInWithWallet(server, quest, second)
  expect([byWallet.status, byWallet.body['user'].id]).toEqual([200, login.body['user'].id])
  const current = (await wallets(server, byWallet.body['accessToken'])).body['items']
  expect(current.map((wallet: { current: boolean }) => wallet.current)).toEqual([false, true])
})

test('a wallet signed in with is a linked wallet, and linking it again changes nothing', async () => {
  const server = await startServer()
  const quest = await app(server)
  const wallet = newWallet()
  const token = (await signInWithWallet(server, quest, wallet)).body['accessToken']
  expect(await addresses(server, token)).toEqual([wallet.address])
  expect((await link(server, token, await nonceProof(server, quest, wallet))).status).toBe(200)
  expect(await addresses(server, token)).toEqual([wallet.address])
})

test('on testnet a wallet is shown with the flag of testnet', async () => {
  const server = await startServer()
  const quest = await telegramApp(server, { slug: 'test', ton: { chains: ['-3'] } })
  const token = (await signInWithTelegram(server, quest)).body['accessToken']
  const linked = await link(server, token, await nonceProof(server, quest, newWallet()))
  expect(linked.body).toMatchObject({ network: '-3', friendly: expect.stringMatching(/^0Q/) })
})

test('a wallet bound to testnet says so in an app for both networks', async () => {
  const server = await startServer()
  const quest = await app(server)
  const token = (await signInWithTelegram(server, quest)).body['accessToken']
  const linked = await link(server, token, await nonceProof(server, quest, newWallet('V5R1testnet')))
  expect(linked.body).toMatchObject({ network: '-3', friendly: expect.stringMatching(/^0Q/) })
})

test.each([
  ['of an app on testnet', ['-3'], 'V4R2', '0Q'],
  ['bound to testnet in an app for both', ['-239', '-3'], 'V5R1testnet', '0Q'],
  ['of an app on mainnet', ['-239'], 'V4R2', 'UQ'],
] as const)('operators see the address of a wallet %s as the wallet shows it', async (_, chains, version, begins) => {
  const server = await startServer()
  const quest = await telegramApp(server, { slug: 'quest', ton: { chains: [...chains] } })
  const wallet = newWallet(version)
  const { body } = await signInWithWallet(server, quest, wallet)
  const headers = bearer(await operatorToken(server))
  const seen = await call(server, 'GET', `/api/v1/users/${body['user'].id}`, { headers })
  expect(seen.body['identities']).toMatchObject([
    { subject: wallet.address, friendly: expect.stringMatching(new RegExp(`^${begins}[\\w-]{46}$`)) },
  ])
  // Lists go by the app's network.
  expect(seen.body['user'].label).toMatch(chains.length === 1 ? new RegExp(`^${begins}`) : /^UQ/)
})

test('a wallet of another account is never moved, and the way to join the two is named', async () => {
  const server = await startServer()
  const quest = await app(server)
  const wallet = newWallet()
  const owner = await signInWithWallet(server, quest, wallet)
  const other = await signInWithTelegram(server, quest)
  const refused = await link(server, other.body['accessToken'], await nonceProof(server, quest, wallet))
  expect(outcome(refused)).toEqual([409, 'conflict', 'owned_by_another_account'])
  expect(refused.body['link']).toBe('/v1/me/link')
  expect(JSON.stringify(refused.body)).not.toContain(owner.body['user'].id)
  expect(await addresses(server, owner.body['accessToken'])).toEqual([wallet.address])
  expect(await addresses(server, other.body['accessToken'])).toEqual([])
  // Another app's people are others altogether.
  const elsewhere = await app(server, 'elsewhere')
  const there = await signInWithTelegram(server, elsewhere)
  expect((await link(server, there.body['accessToken'], await nonceProof(server, elsewhere, wallet))).status).toBe(201)
})

test('of many who link one wallet at once, one has it', async () => {
  const server = await startServer()
  const quest = await app(server)
  const wallet = newWallet()
  const people = await Promise.all(
    Array.from({ length: 8 }, async (_, n) => (await signInWithTelegram(server, quest, person(n + 1))).body),
  )
  const answers = await Promise.all(
    people.map(async (login) => link(server, login['accessToken'], await nonceProof(server, quest, wallet))),
  )
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
  expect(answers.filter(({ status }) => status === 409)).toHaveLength(7)
  const listed = await Promise.all(people.map((login) => addresses(server, login['accessToken'])))
  expect(listed.flat()).toEqual([wallet.address])
})

test('a proof serves once and only for the wallet and the app it was made for', async () => {
  const server = await startServer()
  const [quest, elsewhere] = [await app(server), await app(server, 'elsewhere')]
  const token = (await signInWithTelegram(server, quest)).body['accessToken']
  const [wallet, thief] = [newWallet(), newWallet()]
  const proof = await nonceProof(server, quest, wallet)
  expect((await link(server, token, proof)).status).toBe(201)
  expect(outcome(await link(server, token, proof))[1]).toBe('nonce_invalid')
  expect(outcome(await link(server, token, await nonceProof(server, elsewhere, wallet)))[1]).toBe('nonce_invalid')
  const forged = { ...(await nonceProof(server, quest, thief)), address: wallet.address, stateInit: wallet.stateInit }
  expect(outcome(await link(server, token, forged))[1]).toBe('invalid_signature')
  const { id } = await nonceProof(server, quest, thief)
  const guessed = { ...(await nonceProof(server, quest, thief)), id, signedMessage: signNonce(thief, 'guess') }
  expect(outcome(await link(server, token, guessed))[1]).toBe('invalid_signature')
  expect(await addresses(server, token)).toEqual([wallet.address])
})

test('what is not a proof is refused with every fault, and nobody links without a session', async () => {
  const server = await startServer()
  const quest = await app(server)
  const token = (await signInWithTelegram(server, quest)).body['accessToken']
  for (const body of [{}, { address: newWallet().address }, { id: 'x', signedMessage: 'y', userId: 'usr_1' }, []]) {
    const refused = await link(server, token, body)
    expect([refused.status, refused.body['errors']]).toEqual([400, expect.any(Array)])
  }
  expect((await call(server, 'GET', '/v1/me/wallets')).status).toBe(401)
  expect((await call(server, 'POST', '/v1/me/wallets', { body: {} })).status).toBe(401)
  expect((await call(server, 'PUT', '/v1/me/wallets', { token })).status).toBe(405)
})

test('a wallet is unlinked by any spelling of its address, and its key opens another account from then on', async () => {
  const server = await startServer()
  const quest = await app(server)
  const login = await signInWithTelegram(server, quest)
  const token = login.body['accessToken']
  const wallet = newWallet()
  await link(server, token, await nonceProof(server, quest, wallet))
  expect((await unlink(server, token, wallet.friendly)).status).toBe(204)
  expect(outcome(await unlink(server, token, wallet.address))).toEqual([404, 'not_found', undefined])
  expect(outcome(await unlink(server, token, 'EQnonsense'))).toEqual([400, 'invalid_request', undefined])
  expect(await addresses(server, token)).toEqual([])
  const anew = await signInWithWallet(server, quest, wallet)
  expect(anew.body['user']).toMatchObject({ isNew: true })
  expect(anew.body['user'].id).not.toBe(login.body['user'].id)
})

test('sessions that an unlinked wallet opened end, others go on', async () => {
  const server = await startServer()
  const quest = await app(server)
  const token = (await signInWithTelegram(server, quest)).body['accessToken']
  const wallet = newWallet()
  await link(server, token, await nonceProof(server, quest, wallet))
  const thief = (await signInWithWallet(server, quest, wallet)).body['accessToken']
  expect((await unlink(server, token, wallet.address)).status).toBe(204)
  expect((await checkSession(server, thief)).body['code']).toBe('session_revoked')
  expect((await checkSession(server, token)).status).toBe(200)
})

test('the last way to sign in stays, also when two removals race', async () => {
  const server = await startServer()
  const quest = await app(server)
  const [first, second] = [newWallet(), newWallet()]
  const token = (await signInWithWallet(server, quest, first)).body['accessToken']
  expect(outcome(await unlink(server, token, first.address))).toEqual([409, 'conflict', 'last_identity'])
  await link(server, token, await nonceProof(server, quest, second))
  const race = await Promise.all([unlink(server, token, first.address), unlink(server, token, second.address)])
  expect(race.map(({ status }) => status).sort()).toEqual([204, 409])
  expect(await addresses(server, token)).toHaveLength(1)
})

test('nobody unlinks or sees the wallet of another', async () => {
  const server = await startServer()
  const quest = await app(server)
  const wallet = newWallet()
  const owner = (await signInWithWallet(server, quest, wallet)).body['accessToken']
  const stranger = (await signInWithTelegram(server, quest)).body['accessToken']
  expect(outcome(await unlink(server, stranger, wallet.address))[0]).toBe(404)
  expect(await addresses(server, owner)).toEqual([wallet.address])
})

test('a handle follows its wallet to the account that owns the wallet now', async () => {
  const server = await startServer()
  const quest = await app(server)
  const wallet = newWallet()
  const gql = (token: string, query: string) =>
    call(server, 'POST', '/v1/apps/quest/graphql', { token, body: { query } })
  const first = (await signInWithWallet(server, quest, wallet)).body['accessToken']
  const made = await gql(
    first,
    `mutation { createProfile(input: { handle: "neo-1", address: "${wallet.address}" }) { handle } }`,
  )
  expect(made.body['data'].createProfile.handle).toBe('neo-1')
  await link(server, first, await nonceProof(server, quest, newWallet()))
  const telegram = (await signInWithTelegram(server, quest)).body['accessToken']
  await unlink(server, first, wallet.address)
  expect((await link(server, telegram, await nonceProof(server, quest, wallet))).status).toBe(201)
  // The former owner erases themselves; the handle is not theirs any more.
  expect((await call(server, 'DELETE', '/v1/me', { token: first })).status).toBe(204)
  const byWallet = (await signInWithWallet(server, quest, wallet)).body['accessToken']
  const mine = await gql(byWallet, '{ me { profiles { handle } } }')
  expect(mine.body['data'].me.profiles).toEqual([{ handle: 'neo-1' }])
})

test('an export names every wallet', async () => {
  const server = await startServer()
  const quest = await app(server)
  const token = (await signInWithTelegram(server, quest)).body['accessToken']
  const wallet = newWallet()
  await link(server, token, await nonceProof(server, quest, wallet))
  const exported = (await call(server, 'GET', '/v1/me/export', { token })).body
  expect(exported['wallets']).toMatchObject([{ address: wallet.address, publicKey: wallet.publicKey.toString('hex') }])
})

test('an address that cannot be read is named among the faults, wherever it was sent', async () => {
  const server = await startServer()
  const quest = await app(server)
  const token = (await signInWithTelegram(server, quest)).body['accessToken']
  const fault = { errors: [{ path: 'address', message: expect.stringMatching(/^The address/) }] }
  for (const address of ['abc', `0:${'g'.repeat(64)}`, `1:${'a'.repeat(64)}`, `EQ${'A'.repeat(46)}`]) {
    for (const answer of [
      await unlink(server, token, address),
      await call(server, 'GET', `/v1/me/wallets/${encodeURIComponent(address)}/balance`, { token }),
      await call(server, 'POST', `/v1/apps/${quest.slug}/ton/nonce`, { body: { address } }),
      await link(server, token, { ...(await nonceProof(server, quest, newWallet())), address }),
    ])
      expect([answer.status, answer.body], address).toMatchObject([400, fault])
  }
})
