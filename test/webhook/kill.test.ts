import { expect, onTestFinished, test } from 'vitest'
import { freshDatabase } from '../support/database.ts'
import { local } from '../support/events.ts'
import { killAgainAndAgain, prepareKills, startKillReceiver } from '../support/kills.ts'
import { environment, gatehouse, startServing } from '../support/process.ts'
import { randomBytes } from '../support/random.ts'

test('a server that is killed at random points loses no event that it acknowledged, and repeats none with other bytes', async () => {
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
  const result = await killAgainAndAgain({ start, path, key, receiver, kills: 4, random })
  expect(result.acknowledged).toBeGreaterThan(20)
  expect(result).toMatchObject({ lost: [], differing: 0 })
})
