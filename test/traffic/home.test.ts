import { expect, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { checkSession } from '../support/signIn.ts'
import { startServer, type Answer } from '../support/server.ts'
import { findings, forge, manage, nonce, post, signIn, solving, watched, type Watched } from '../support/traffic.ts'
import { newWallet, signNonce, type TestWallet } from '../support/wallet.ts'

/** The address of a home: a family, and one of their guests who attacks from it. */
const home = '192.0.2.44'
const family = [1, 2, 3, 4]
const victim = 777
const SECONDS = 60

const refused = (answers: Answer[]) => answers.filter(({ status }) => status >= 400)
const stopped = (answers: Answer[]) => answers.filter(({ status }) => status === 428 || status === 429)

/** A minute of an attack from home, four tries a second, while each of the family signs in again and again and looks at their app. */
async function minute(
  world: Watched,
  attack: (n: number) => Promise<Answer>,
  enter: (id: number) => Promise<Answer> = (id) => signIn(world, id, home),
) {
  const attacks: Answer[] = []
  const good: Answer[] = []
  const tokens = new Map<number, string>()
  for (let second = 0; second < SECONDS; second++) {
    for (let n = 0; n < 4; n++) attacks.push(await attack(second * 4 + n))
    const member = family[second % family.length]!
    if (second % 10 < family.length) {
      const answer = await enter(member)
      good.push(answer)
      if (answer.status === 200) tokens.set(member, answer.body['accessToken'] as string)
    }
    const token = tokens.get(member)
    if (token !== undefined) good.push(await checkSession(world.server, token))
    world.server.clock.pass(1)
  }
  return { attacks, good }
}

/** The family lives there: each signed in, hours ago. */
async function lived(): Promise<Watched> {
  const world = await watched()
  for (const id of family) expect((await signIn(world, id, home)).status).toBe(200)
  world.server.clock.pass(5 * 3600)
  return world
}

test('who attacks a stranger from the address of a family loses every try, and the family none, without solving anything', async () => {
  const world = await lived()
  const { attacks, good } = await minute(world, () => forge(world, victim, home))
  expect(refused(good)).toEqual([])
  expect(good.length).toBeGreaterThan(60)
  expect(refused(attacks)).toHaveLength(240)
  expect(stopped(attacks).length).toBeGreaterThanOrEqual(210)
  expect(await findings(world)).toMatchObject([{ detector: 'failed_proofs', value: home, answer: 'challenge' }])
})

test('who goes for the family itself from their own address loses every try; the family solves a challenge and loses none', async () => {
  const world = await lived()
  const { attacks, good } = await minute(
    world,
    (n) => forge(world, family[n % family.length]!, home),
    (id) => solving((headers) => signIn(world, id, home, headers)),
  )
  expect(refused(good)).toEqual([])
  expect(refused(attacks)).toHaveLength(240)
  // In each one's name as many tries a minute are let through to be checked as a person needs.
  expect(stopped(attacks).length).toBeGreaterThanOrEqual(240 - 20 - family.length * 10 * 2)
})

test('a guest who was never there before comes in by a challenge, and the family after a restart as ever', async () => {
  const before = await lived()
  const world = await restarted(before)
  // Before any of the family has come by since.
  for (let n = 0; n < 25; n++) await forge(world, victim, home)
  expect((await signIn(world, victim, home)).status).toBe(428)
  const { attacks, good } = await minute(
    world,
    () => forge(world, victim, home),
    (id) => signIn(world, id, home),
  )
  expect(refused(good)).toEqual([])
  expect(refused(attacks)).toHaveLength(240)
  expect((await signIn(world, 99, home)).status).toBe(428)
  expect((await solving((headers) => signIn(world, 99, home, headers))).status).toBe(200)
  // Who came in by a challenge once is known.
  expect((await signIn(world, 99, home)).status).toBe(200)
})

const withWallet = async (world: Watched, wallet: TestWallet) => {
  const { address, stateInit } = wallet
  const asked = await nonce(world, home, address)
  if (asked.status !== 201) return asked
  const { id, nonce: text } = asked.body as { id: string; nonce: string }
  return post(world, '/v1/apps/quest/ton/login', home, {
    id,
    address,
    stateInit,
    signedMessage: signNonce(wallet, text),
  })
}

async function restarted(before: Watched): Promise<Watched> {
  await before.server.runtime.traffic.flush()
  await before.server.stop()
  const server = await startServer({
    databaseUrl: before.server.runtime.config.databaseUrl,
    now: before.server.clock.now,
    env: { GATEHOUSE_TRUST_PROXY: '127.0.0.1/32' },
  })
  return { ...before, server }
}

test('whoever lives in a network sign in as ever after a restart too, wherever else in it somebody makes up proofs', async () => {
  const before = await watched()
  const [here, v6] = ['203.0.113.250', '2001:db8:5:7::1']
  for (const [id, ip] of [
    [1, here],
    [3, v6],
  ] as const)
    expect((await signIn(before, id, ip)).status).toBe(200)
  const world = await restarted(before)
  for (let n = 0; n < 240; n++) await forge(world, n, `203.0.113.${n}`)
  for (let n = 0; n < 100; n++) await forge(world, n, `2001:db8:5:${n.toString(16)}::1`)
  // So many new addresses within a second are not all looked up.
  world.server.clock.pass(1)
  expect((await signIn(world, 2, '203.0.113.251')).status).toBe(428)
  expect((await signIn(world, 1, here)).status).toBe(200)
  // Another address of the same line.
  expect((await signIn(world, 3, '2001:db8:5:7:aaaa::9')).status).toBe(200)
})

test('who farms nonces from there gets hardly any, and the wallets that are known there sign in as ever', async () => {
  const world = await watched()
  const wallets = family.map(() => newWallet())
  for (const wallet of wallets) expect((await withWallet(world, wallet)).status).toBe(200)
  world.server.clock.pass(5 * 3600)
  const farmed: Answer[] = []
  const good: Answer[] = []
  // The limit by address goes by the real clock, in which these two minutes are a few seconds.
  await changeApp(world.server.runtime, cliActor, world.app.id, { rateLimits: { signInPerAddress: 12_000 } })
  for (let second = 0; second < 2 * SECONDS; second++) {
    for (let n = 0; n < 15; n++) farmed.push(await nonce(world, home))
    if (second % 5 === 0) good.push(await withWallet(world, wallets[(second / 5) % wallets.length]!))
    world.server.clock.pass(1)
  }
  expect(refused(good)).toEqual([])
  expect(good).toHaveLength(24)
  expect(refused(farmed).length / farmed.length).toBeGreaterThanOrEqual(0.95)
  // In the name of a wallet that is known there, too, there are no more than a person needs.
  const named: Answer[] = []
  for (let n = 0; n < 100; n++) named.push(await nonce(world, home, wallets[0]!.address))
  expect(refused(named).length).toBeGreaterThanOrEqual(90)
})

test('who guesses codes from there is stopped, and who types their own for the first time is not', async () => {
  const world = await lived()
  const [attacker, member] = [await signIn(world, 66, home), await signIn(world, 1, home)]
  const type = (session: Answer, code: string) =>
    post(world, '/v1/me/link/confirm', home, { code }, { authorization: `Bearer ${session.body['accessToken']}` })
  const guesses: Answer[] = []
  for (let n = 0; n < 60; n++) guesses.push(await type(attacker, String(n).padStart(6, '0')))
  expect(stopped(guesses).length).toBeGreaterThanOrEqual(45)
  expect((await type(member, '123456')).body['code']).toBe('code_invalid')
  expect((await checkSession(world.server, member.body['accessToken'] as string)).status).toBe(200)
})

test('who uses up the limit of their address keeps out strangers and themselves, not those who live there', async () => {
  const world = await lived()
  await changeApp(world.server.runtime, cliActor, world.app.id, { rateLimits: { signInPerAddress: 100 } })
  // What is no proof at all, which no detector looks at.
  for (let n = 0; n < 101; n++) await post(world, '/v1/apps/quest/telegram/login', home, { initData: '' })
  for (const id of family) expect((await signIn(world, id, home)).status).toBe(200)
  const refused = await signIn(world, 99, home)
  expect([refused.status, refused.body['code'], refused.headers.get('ratelimit')]).toEqual([
    429,
    'rate_limited',
    expect.stringMatching(/r=0;/),
  ])
  expect((await post(world, '/v1/apps/quest/telegram/login', home, { initData: 7 })).status).toBe(429)
  // Nobody needs more than ten tries a minute; more are somebody else's in their name.
  const many: number[] = []
  for (let n = 0; n < 12; n++) many.push((await signIn(world, family[0]!, home)).status)
  expect(many.filter((status) => status === 200).length).toBeLessThan(10)
  expect(many.at(-1)).toBe(429)
  expect((await signIn(world, family[1]!, home)).status).toBe(200)
  // The next one over is somebody else, and the same people elsewhere are no residents.
  expect((await signIn(world, 99, '192.0.2.45')).status).toBe(200)
  const why = await manage(world, 'GET', `/traffic/why?q=${home}`)
  expect(why.body['stops'][0]).toMatchObject({ detector: 'limit', title: 'Rate limit', code: 'rate_limited' })
})

test('a limit below what one person needs holds for who lives there too', async () => {
  const world = await lived()
  await changeApp(world.server.runtime, cliActor, world.app.id, { rateLimits: { signInPerAddress: 3 } })
  const statuses: number[] = []
  for (let n = 0; n < 5; n++) statuses.push((await signIn(world, family[0]!, home)).status)
  expect(statuses).toEqual([200, 200, 200, 429, 429])
})
