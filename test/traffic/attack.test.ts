import { solveChallenge } from 'altcha-lib'
import { deriveKey } from 'altcha-lib/algorithms/sha'
import { describe, expect, test } from 'vitest'
import { checkSession } from '../support/signIn.ts'
import type { Answer } from '../support/server.ts'
import { initData, person } from '../support/telegram.ts'
import { findings, forge, manage, nonce, post, signIn, watched, type Watched } from '../support/traffic.ts'
import { newWallet, signNonce } from '../support/wallet.ts'

/** How many of some tries did not reach what they were after. */
const lost = (answers: Answer[]) => answers.filter(({ status }) => status >= 400).length / answers.length
/** Those that did not even cost us the check of a proof. */
const stopped = (answers: Answer[]) => answers.filter(({ status }) => status === 429 || status === 428).length

async function inTurn(times: number, act: (n: number) => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = []
  for (let n = 0; n < times; n++) answers.push(await act(n))
  return answers
}

const detectorsOf = async (world: Watched) => (await findings(world)).map(({ detector }) => detector)

describe('within a minute', () => {
  test('proofs made up at one address are found and stopped, and the victim stays signed in', async () => {
    const world = await watched()
    const victim = await signIn(world, 1, '198.51.100.7')
    const answers = await inTurn(200, () => forge(world, 1, '203.0.113.9'))
    expect(lost(answers)).toBe(1)
    expect(stopped(answers)).toBe(180)
    expect(answers.at(-1)!.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(await findings(world)).toMatchObject([
      {
        detector: 'failed_proofs',
        kind: 'address',
        value: '203.0.113.9',
        answer: 'block',
        shadow: false,
        tries: 20,
        stopped: 180,
      },
    ])
    expect((await checkSession(world.server, victim.body['accessToken'])).status).toBe(200)
    // Other people's sign-ins go on, also the victim's own.
    expect((await signIn(world, 1, '198.51.100.7')).status).toBe(200)
  })

  test('proofs made up all over a network are found by the network', async () => {
    const world = await watched()
    const answers = await inTurn(240, (n) => forge(world, n, `203.0.113.${n}`))
    expect(lost(answers)).toBe(1)
    expect(stopped(answers)).toBeGreaterThanOrEqual(170)
    expect(await detectorsOf(world)).toContain('failed_proofs_network')
    expect((await signIn(world, 1, '203.0.114.1')).status).toBe(200)
  })

  test('neighbours of who makes up proofs all over a network sign in as ever, and a new one solves a challenge', async () => {
    const world = await watched()
    expect((await signIn(world, 1, '203.0.113.250')).status).toBe(200)
    const answers = await inTurn(240, (n) => forge(world, n, `203.0.113.${n}`))
    expect(lost(answers)).toBe(1)
    expect(stopped(answers)).toBeGreaterThanOrEqual(170)
    expect(await findings(world)).toContainEqual(
      expect.objectContaining({ detector: 'failed_proofs_network', answer: 'challenge' }),
    )
    expect((await signIn(world, 1, '203.0.113.250')).status).toBe(200)
    expect((await signIn(world, 2, '203.0.113.251')).status).toBe(428)
  })

  test('proofs made up everywhere make those work who failed, and nobody else', async () => {
    const world = await watched()
    const answers = await inTurn(400, (n) => forge(world, n, `198.${n % 90}.7.1`))
    expect(lost(answers)).toBe(1)
    expect(stopped(answers)).toBeGreaterThanOrEqual(290)
    expect(await detectorsOf(world)).toContain('failure_surge')
    const good = await inTurn(50, (n) => signIn(world, n + 1, `192.0.${n}.5`))
    expect(lost(good)).toBe(0)
  })

  test('who farms nonces gets hardly any', async () => {
    const world = await watched()
    const answers = await inTurn(1_500, () => nonce(world, '203.0.113.77'))
    expect(lost(answers)).toBeGreaterThanOrEqual(0.95)
    expect(await detectorsOf(world)).toEqual(['nonce_farming'])
    expect((await nonce(world, '203.0.113.78')).status).toBe(201)
  })

  test('a proof that turns up everywhere serves no longer, and a new one of the same person does', async () => {
    const world = await watched()
    const body = { initData: initData(person(5), world.server.clock.now) }
    const replay = await inTurn(300, (n) => post(world, '/v1/apps/quest/telegram/login', `198.51.${n % 200}.1`, body))
    expect(lost(replay)).toBeGreaterThanOrEqual(0.95)
    expect(new Set(replay.filter(({ status }) => status !== 200).map(({ body }) => body['code']))).toEqual(
      new Set(['login_expired']),
    )
    expect(await detectorsOf(world)).toContain('replayed_proofs')
    world.server.clock.pass(1)
    expect((await signIn(world, 5, '198.51.100.7')).status).toBe(200)
  })

  test('how often one proof may be used is for the operator to say', async () => {
    const world = await watched()
    const tuned = await manage(world, 'PATCH', '/traffic/rules/replayed_proofs', { threshold: 12 })
    expect(tuned.body).toMatchObject({ threshold: 12, answer: 'block', defaults: { threshold: 300 } })
    const body = { initData: initData(person(5), world.server.clock.now) }
    const replay = await inTurn(100, () => post(world, '/v1/apps/quest/telegram/login', '203.0.113.50', body))
    expect(replay.filter(({ status }) => status === 200)).toHaveLength(12)
  })

  test('proofs that are spent, sent again and again, are found by their address', async () => {
    const world = await watched()
    const wallet = newWallet()
    const { id, nonce: text } = (await nonce(world, '203.0.113.60')).body as { id: string; nonce: string }
    const { address, stateInit } = wallet
    const body = { id, address, stateInit, signedMessage: signNonce(wallet, text) }
    const replay = await inTurn(100, () => post(world, '/v1/apps/quest/ton/login', '203.0.113.60', body))
    expect(lost(replay)).toBe(0.99)
    // Somebody signed in there: in their name a few more are let through, as many as a person needs.
    expect(stopped(replay)).toBeGreaterThanOrEqual(65)
    expect(await findings(world)).toMatchObject([{ detector: 'spent_proofs', answer: 'challenge' }])
  })

  test('one person in many places is told, and nothing is done to them', async () => {
    const world = await watched()
    const answers = await inTurn(12, (n) => {
      world.server.clock.pass(2)
      return signIn(world, 9, `198.51.${n}.1`)
    })
    expect(lost(answers)).toBe(0)
    expect(await findings(world)).toMatchObject([{ detector: 'many_addresses', kind: 'user', answer: 'watch' }])
  })

  test('codes that are guessed at one address, account by account, are found and stopped; sessions there go on', async () => {
    const world = await watched()
    const tokens: string[] = []
    for (let n = 1; n <= 8; n++) tokens.push((await signIn(world, n, '203.0.113.5')).body['accessToken'] as string)
    const guess = (n: number, ip = '203.0.113.5') =>
      post(
        world,
        '/v1/me/link/confirm',
        ip,
        { code: String(n).padStart(6, '0') },
        { authorization: `Bearer ${tokens[n % 8]}` },
      )
    const answers = await inTurn(300, guess)
    expect(lost(answers)).toBe(1)
    expect(stopped(answers)).toBe(285)
    expect(await findings(world)).toMatchObject([
      { detector: 'code_guessing', kind: 'address', value: '203.0.113.5', answer: 'block', tries: 15, stopped: 285 },
    ])
    // Who has a session open goes on with it, and types their code elsewhere as ever.
    expect((await checkSession(world.server, tokens[1]!)).status).toBe(200)
    expect((await guess(2, '203.0.114.5')).body['code']).toBe('code_invalid')
  })

  test('tokens that are guessed are told', async () => {
    const world = await watched()
    await inTurn(130, () => post(world, '/v1/logout', '203.0.113.4', {}, { authorization: 'Bearer gh_at_guessed' }))
    expect(await detectorsOf(world)).toEqual(['token_guessing'])
  })
})

describe('an office of 200 people behind one address', () => {
  const office = '198.51.100.200'

  test('loses no sign-in and no nonce within a minute', async () => {
    const world = await watched()
    const answers: Answer[] = []
    for (let n = 0; n < 200; n++) {
      if (n % 4 === 0) world.server.clock.pass(1)
      answers.push(await signIn(world, n + 1, office))
      if (n % 10 === 0) answers.push(await nonce(world, office))
      // Every twentieth client is broken and sends an old proof first.
      if (n % 20 === 0) expect((await forge(world, n + 1, office)).status).toBe(401)
    }
    expect(lost(answers)).toBe(0)
    expect(await findings(world)).toEqual([])
  })

  test('is not locked out by a bot among them: who solves the challenge comes in', async () => {
    const world = await watched()
    for (let n = 0; n < 30; n++) await signIn(world, n + 1, office)
    const open = await signIn(world, 99, office)
    const bot = await inTurn(200, (n) => forge(world, n, office))
    expect(stopped(bot)).toBeGreaterThan(100)
    expect(await findings(world)).toMatchObject([{ detector: 'failed_proofs', answer: 'challenge' }])
    // Who is signed in stays signed in.
    expect((await checkSession(world.server, open.body['accessToken'])).status).toBe(200)

    const asked = await signIn(world, 40, office)
    expect([asked.status, asked.body['code']]).toEqual([428, 'challenge_required'])
    const { challenge } = asked.body as { challenge: Parameters<typeof solveChallenge>[0]['challenge'] }
    const solution = await solveChallenge({ challenge, deriveKey })
    const header = Buffer.from(JSON.stringify({ challenge, solution })).toString('base64')
    const solved = await signIn(world, 40, office, { 'gatehouse-challenge': header })
    expect(solved.status).toBe(200)
    // It serves once, and only as it was given.
    expect((await signIn(world, 41, office, { 'gatehouse-challenge': header })).status).toBe(428)
    const easier = { ...challenge, parameters: { ...challenge.parameters, keyPrefix: '0' } }
    for (const forged of [
      { challenge: easier, solution },
      { challenge, solution: { ...solution, counter: 0 } },
      { challenge: { ...challenge, signature: '0'.repeat(64) }, solution },
      {},
    ]) {
      const text = Buffer.from(JSON.stringify(forged)).toString('base64')
      expect((await signIn(world, 42, office, { 'gatehouse-challenge': text })).status).toBe(428)
    }
    expect((await signIn(world, 42, office, { 'gatehouse-challenge': '%%%' })).status).toBe(428)
  })
})

test('a block ends by itself, and the next one lasts longer', async () => {
  const world = await watched()
  const attack = () => inTurn(25, () => forge(world, 1, '203.0.113.9'))
  const waits: number[] = []
  for (let round = 0; round < 3; round++) {
    const answers = await attack()
    const wait = Number(answers.at(-1)!.headers.get('retry-after'))
    waits.push(wait)
    world.server.clock.pass(wait)
    expect((await nonce(world, '203.0.113.9')).status).toBe(201)
    world.server.clock.pass(120)
  }
  expect(waits).toEqual([60, 240, 960])
})

test('a block holds after a restart', async () => {
  const world = await watched()
  await inTurn(25, () => forge(world, 1, '203.0.113.9'))
  await world.server.stop()
  const { startServer } = await import('../support/server.ts')
  const again = await startServer({
    databaseUrl: world.server.runtime.config.databaseUrl,
    env: { GATEHOUSE_TRUST_PROXY: '127.0.0.1/32' },
  })
  const answer = await signIn({ ...world, server: again }, 1, '203.0.113.9')
  expect([answer.status, answer.body['code']]).toEqual([429, 'rate_limited'])
})

test('a rule in shadow tells what it would do, and does nothing', async () => {
  const world = await watched()
  await manage(world, 'PATCH', '/traffic/rules/failed_proofs', { mode: 'shadow' })
  const answers = await inTurn(50, () => forge(world, 1, '203.0.113.9'))
  expect(stopped(answers)).toBe(0)
  expect(await findings(world)).toMatchObject([
    { detector: 'failed_proofs', answer: 'block', shadow: true, stopped: 0 },
  ])
  await manage(world, 'PATCH', '/traffic/rules/failed_proofs', { mode: 'off' })
  await inTurn(30, () => forge(world, 1, '203.0.114.9'))
  expect(await findings(world)).toHaveLength(1)
})

test('a proxy that nobody told us of is never locked out, and everybody behind it with it', async () => {
  const world = await watched({ GATEHOUSE_TRUST_PROXY: '' })
  const answers = await inTurn(40, () => forge(world, 1, '203.0.113.9'))
  expect(stopped(answers)).toBe(0)
  expect(await findings(world)).toMatchObject([{ detector: 'failed_proofs', value: '127.0.0.1', answer: 'watch' }])
})

test('where a gateway does the limiting, findings are told and nothing is done', async () => {
  const world = await watched({ GATEHOUSE_RATE_LIMITS: 'off' })
  expect(stopped(await inTurn(40, () => forge(world, 1, '203.0.113.9')))).toBe(0)
  expect(await findings(world)).toMatchObject([{ detector: 'failed_proofs', answer: 'watch' }])
})
