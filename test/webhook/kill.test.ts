import { expect, onTestFinished, test } from 'vitest'
import { freshDatabase } from '../support/database.ts'
import { local } from '../support/events.ts'
import { killAgainAndAgain, killInTurn, prepareKills, startKillReceiver } from '../support/kills.ts'
import { environment, gatehouse, startServing } from '../support/process.ts'
import { call } from '../support/server.ts'
import { randomBytes } from '../support/random.ts'

async function setUp() {
  const env = environment(await freshDatabase(), { ...local, GATEHOUSE_RATE_LIMITS: 'off' })
  const receiver = await startKillReceiver()
  onTestFinished(receiver.close)
  const start = async () => {
    const server = await startServing(env)
    return { url: server.url, kill: () => server.end('SIGKILL') }
  }
  const first = await start()
  const { path, key } = await prepareKills((args, input) => gatehouse(env, args, input), first, receiver)
  await first.kill()
  const bytes = randomBytes('kills', 50_000)
  let at = 0
  const random = () => bytes.readUInt32BE(4 * (at++ % 12_500)) / 2 ** 32
  return { start, path, key, receiver, random }
}

test('a server that is killed at random points loses no event that it acknowledged, and repeats none with other bytes', async () => {
  const result = await killAgainAndAgain({ ...(await setUp()), kills: 4 })
  expect(result.acknowledged).toBeGreaterThan(20)
  expect(result).toMatchObject({ lost: [], differing: 0 })
})

test('of two servers on one database each may be killed: the other sends what it had claimed', async () => {
  const result = await killInTurn({ ...(await setUp()), kills: 2 })
  expect(result.acknowledged).toBeGreaterThan(20)
  expect(result).toMatchObject({ lost: [], differing: 0 })
})

test('SIGTERM lets what is being sent finish, and gives back what is not', async () => {
  const env = environment(await freshDatabase(), { ...local, GATEHOUSE_RATE_LIMITS: 'off' })
  const receiver = await startKillReceiver()
  onTestFinished(receiver.close)
  const server = await startServing(env)
  const { path, key } = await prepareKills((args, input) => gatehouse(env, args, input), server, receiver)
  const ids: string[] = []
  for (let n = 0; n < 3; n++) {
    const body = Array.from({ length: 100 }, () => ({ type: 'kyc.success', user: 'u1', content: {} }))
    ids.push(...((await call(server, 'POST', path, { body, token: key })).body['ids'] as string[]))
  }
  expect(await server.end('SIGTERM')).toBe(0)
  const before = receiver.bodies.size
  const again = await startServing(env)
  // Nobody has to be taken for dead first, which takes ten seconds.
  await expect.poll(() => ids.filter((id) => !receiver.bodies.has(id)), { timeout: 8_000 }).toEqual([])
  expect([before <= ids.length, receiver.twice.size]).toEqual([true, 0])
  await again.end('SIGTERM')
})
