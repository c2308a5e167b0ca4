import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { emails } from '../../server/db/schema.ts'
import { bearer, operatorToken } from '../support/operator.ts'
import { call, startServer } from '../support/server.ts'

test('mails are listed and counted by when they were written, to the moment, either way', async () => {
  const server = await startServer()
  const app = await server.createApp({ slug: 'quest' })
  const headers = bearer(await operatorToken(server))
  const at = (minute: number) => new Date(Date.parse('2026-05-01T00:00:00Z') + minute * 60_000)
  // Clocks of two processes: what was written later may be said to be a little earlier.
  const minutes = [0, 10, 9.5, 20, 30, 30, 40]
  await server.runtime.db.transaction(async (tx) => {
    for (const minute of minutes)
      await tx.insert(emails).values({
        appId: app.id,
        kind: 'signature_updated',
        locale: 'en',
        toHash: randomBytes(32),
        toSealed: server.runtime.vault.seal('ann@example.com', 'emails.to'),
        status: minute === 20 ? 'bounced' : 'kept',
        createdAt: at(minute),
      })
  })
  const listed = async (query: Record<string, string>) => {
    const { body } = await call(server, 'GET', `/api/v1/emails?${new URLSearchParams(query)}`, { headers })
    const items = body['items'] as { createdAt: string }[]
    expect(body['total']).toBe(items.length)
    return items.map(({ createdAt }) => (Date.parse(createdAt) - at(0).getTime()) / 60_000)
  }
  const [from, to] = [at(9.5).toISOString(), at(30).toISOString()]
  expect(await listed({})).toEqual([40, 30, 30, 20, 9.5, 10, 0])
  expect(await listed({ from, to })).toEqual([30, 30, 20, 9.5, 10])
  expect(await listed({ from, to, sort: 'createdAt' })).toEqual([10, 9.5, 20, 30, 30])
  expect(await listed({ from: at(10).toISOString() })).toEqual([40, 30, 30, 20, 10])
  expect(await listed({ to: at(10).toISOString() })).toEqual([9.5, 10, 0])
  expect(await listed({ from: at(41).toISOString() })).toEqual([])
  expect(await listed({ to: '2020-01-01T00:00:00Z' })).toEqual([])
  expect(await listed({ from: at(50).toISOString(), to: at(1).toISOString() })).toEqual([])
  expect(await listed({ from, to, status: 'bounced' })).toEqual([20])
})
