import { expect, test } from 'vitest'
import type { Answer } from '../support/server.ts'
import { checkSession } from '../support/signIn.ts'
import { initData, person } from '../support/telegram.ts'
import { findings, forge, nonce, post, signIn, watched, type Watched } from '../support/traffic.ts'

const SECONDS = 60
const office = '198.51.100.200'
const home = '192.0.2.44'
const victim = 777

type Attack = { aSecond: number; detector: string; try: (world: Watched, n: number) => Promise<Answer> }

/** All at once, for a minute, in one app. What each is after: somebody's session, nonces to wear us out, a code, a token. */
async function attacks(world: Watched): Promise<Record<string, Attack>> {
  const own = (await signIn(world, 66, '203.0.113.200')).body['accessToken'] as string
  // Seen on somebody's screen, or in a log.
  const captured = { initData: initData(person(500), world.server.clock.now) }
  const bearer = (n: number) => ({ authorization: `Bearer gh_at_${String(n).padStart(64, 'A')}` })
  return {
    'one address, one subject': { aSecond: 4, detector: 'failed_proofs', try: (w) => forge(w, victim, '203.0.113.9') },
    'one address, a subject each': { aSecond: 4, detector: 'failed_proofs', try: (w, n) => forge(w, n, '203.0.114.9') },
    'all over a network': {
      aSecond: 5,
      detector: 'failed_proofs_network',
      try: (w, n) => forge(w, victim, `203.0.115.${n % 250}`),
    },
    'an IPv6 /64 a try': {
      aSecond: 5,
      detector: 'failed_proofs_network',
      try: (w, n) => forge(w, victim, `2001:db8:7:${(n % 60_000).toString(16)}::1`),
    },
    'from everywhere': {
      aSecond: 4,
      detector: 'failure_surge',
      try: (w, n) => forge(w, victim, `${20 + (n % 40)}.${n % 200}.7.1`),
    },
    nonces: { aSecond: 25, detector: 'nonce_farming', try: (w) => nonce(w, '203.0.117.77') },
    codes: {
      aSecond: 2,
      detector: 'code_guessing',
      try: (w, n) =>
        post(
          w,
          '/v1/me/link/confirm',
          '203.0.118.5',
          { code: String(n).padStart(6, '0') },
          { authorization: `Bearer ${own}` },
        ),
    },
    'a captured proof': {
      aSecond: 4,
      detector: 'replayed_proofs',
      try: (w, n) => post(w, '/v1/apps/quest/telegram/login', `198.18.${n % 200}.1`, captured),
    },
    tokens: {
      aSecond: 4,
      detector: 'token_guessing',
      try: (w, n) => post(w, '/v1/logout', '203.0.119.4', {}, bearer(n)),
    },
    // Slow enough for every threshold: found by nothing, and gains nothing either.
    'slowly, from one address': { aSecond: 0.1, detector: '', try: (w) => forge(w, victim, '203.0.121.9') },
  }
}

test('all attacks at once are found within a minute and lose 95 % of their tries; an office and the victim lose none', async () => {
  const world = await watched()
  const { clock } = world.server
  const live = (await signIn(world, victim, home)).body['accessToken'] as string
  const began = clock.now.getTime()
  const all = await attacks(world)
  const answers = new Map<string, Answer[]>(Object.keys(all).map((name) => [name, []]))
  const good: Answer[] = []
  let people = 0
  for (let second = 0; second < SECONDS; second++) {
    const now: Promise<void>[] = []
    for (const [name, { aSecond, try: attack }] of Object.entries(all)) {
      const done = answers.get(name)!
      const due = Math.floor((second + 1) * aSecond) - Math.floor(second * aSecond)
      const run = async () => {
        for (let k = 0; k < due; k++) done.push(await attack(world, second * Math.ceil(aSecond) + k))
      }
      now.push(run())
    }
    const work = async () => {
      for (; people < ((second + 1) * 200) / SECONDS; people++) good.push(await signIn(world, 1_000 + people, office))
      // The victim looks at their app every few seconds, and signs in on another device meanwhile.
      if (second % 5 === 0) good.push(await checkSession(world.server, live))
      if (second % 20 === 10) good.push(await signIn(world, victim + 1, home))
    }
    now.push(work())
    await Promise.all(now)
    clock.pass(1)
  }
  expect(people).toBe(200)
  expect(good.filter(({ status }) => status !== 200)).toEqual([])
  expect((await signIn(world, victim, home)).status).toBe(200)

  const found = await findings(world, '?limit=100')
  const told = new Set(found.map(({ detector }) => detector))
  const lost = [...answers].map(([name, tries]) => {
    const got = tries.filter(({ status }) => status < 400).length
    return { name, tries: tries.length, got, lost: 1 - got / tries.length }
  })
  for (const { name, tries, lost: share } of lost) {
    expect(tries, name).toBeGreaterThanOrEqual(6)
    expect(share, `${name} of ${tries}`).toBeGreaterThanOrEqual(0.95)
  }
  // Where failures come from everywhere, that is found first, and its challenge stops each of them before its own address is.
  for (const [name, { detector }] of Object.entries(all))
    if (detector)
      expect(
        [detector, 'failure_surge'].some((one) => told.has(one)),
        name,
      ).toBe(true)
  for (const detector of ['nonce_farming', 'code_guessing', 'replayed_proofs', 'token_guessing', 'failure_surge'])
    expect([...told]).toContain(detector)
  for (const one of found as ((typeof found)[number] & { startedAt: string })[])
    expect(Date.parse(one.startedAt) - began, one.detector).toBeLessThanOrEqual(60_000)
  // Nothing was found at the office or at the victim's.
  expect(found.filter(({ value }) => value === office || value === home)).toEqual([])
}, 240_000)

test('who changes address and subject with every try, slowly, gains nothing, and nobody is stopped for it', async () => {
  const world = await watched()
  const live = (await signIn(world, victim, home)).body['accessToken'] as string
  for (let n = 0; n < 60; n++) {
    expect((await forge(world, victim, `${20 + n}.9.${n}.1`)).status).toBe(401)
    if (n % 10 === 0) expect((await signIn(world, victim, home)).status).toBe(200)
    world.server.clock.pass(20)
  }
  expect(await findings(world)).toEqual([])
  expect((await checkSession(world.server, live)).status).toBe(401)
}, 120_000)
