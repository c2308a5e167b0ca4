import { expect, test } from 'vitest'
import { freshDatabase } from '../support/database.ts'
import { environment, gatehouse, startServing } from '../support/process.ts'
import { call } from '../support/server.ts'
import { dataOf, openStream } from '../support/stream.ts'
import { botToken, initData, person } from '../support/telegram.ts'

const app = JSON.stringify({ apps: [{ slug: 'quest', name: 'Quest', telegram: { botToken } }] })

test('an evicted client is told within a second by whatever process it is connected to, and by its next call', async () => {
  const env = environment(await freshDatabase())
  expect((await gatehouse(env, ['apply', '-f', '-'], app)).code).toBe(0)
  // Two processes as behind a load balancer, over one database of either engine.
  const [one, two] = await Promise.all([startServing(env), startServing(env)])
  const signIn = async (server: { url: string }, device: string) => {
    const body = { initData: initData(person(1), new Date()) }
    const answer = await call(server, 'POST', '/v1/apps/quest/telegram/login', {
      body,
      headers: { 'user-agent': device },
    })
    expect(answer.status).toBe(200)
    return answer.body as { accessToken: string; session: { id: string; createdAt: string } }
  }
  for (const [listening, signing] of [
    [one, two],
    [two, one],
    [two, two],
  ] as const) {
    const old = await signIn(one, 'Old Phone')
    const stream = await openStream(`${listening.url}/v1/session/events`, {
      authorization: `Bearer ${old.accessToken}`,
    })
    expect(stream.status).toBe(200)
    const fresh = await signIn(signing, 'New Phone')
    const committed = performance.now()
    await expect.poll(() => stream.ended, { interval: 10, timeout: 5_000 }).toBe(true)
    expect(performance.now() - committed).toBeLessThan(1_000)
    const [told, ...rest] = dataOf(stream.text)
    expect(rest).toEqual([])
    expect(told).toMatchObject({
      sessionId: old.session.id,
      code: 'session_revoked',
      reason: 'limit_exceeded',
      replacedBy: { at: fresh.session.createdAt, method: 'telegram', device: 'New Phone' },
    })
    for (const server of [one, two]) {
      const next = await call(server, 'GET', '/v1/session', { token: old.accessToken })
      const { reason, replacedBy, endedAt, detail } = told!
      expect(next.status).toBe(401)
      expect(next.body).toMatchObject({ code: 'session_revoked', reason, replacedBy, endedAt, detail })
    }
  }
})
