import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createChaosReceiver } from '../../server/chaos/receiver.ts'
import { newApiKey } from '../support/apiKey.ts'
import { local, newEndpoint, post } from '../support/events.ts'
import { call, startServer } from '../support/server.ts'

test.each([
  ['ok', 'delivered', 'ok'],
  ['status/503', 'retrying', 'http_5xx'],
  ['redirect', 'retrying', 'http_3xx'],
  ['gone', 'held', 'endpoint_off'],
  ['busy?after=60', 'retrying', 'http_4xx'],
  ['drip', 'retrying', 'timed_out'],
  ['reset', 'retrying', 'connection_lost'],
  ['cut', 'retrying', 'connection_lost'],
  ['hang', 'retrying', 'timed_out'],
  ['slow?ms=50', 'delivered', 'ok'],
  ['huge', 'delivered', 'ok'],
  ['garbage', 'retrying', 'http_invalid'],
  ['flaky?rate=1', 'retrying', 'http_5xx'],
])('a receiver that goes wrong by /%s leaves the event %s (%s)', async (path, status, reason) => {
  const calls: string[] = []
  const chaos = createChaosReceiver((one) => calls.push(one.path))
  await new Promise<void>((resolve) => chaos.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    chaos.closeAllConnections()
    chaos.close()
  })
  const server = await startServer({ env: local })
  const app = await server.createApp()
  const url = `http://127.0.0.1:${(chaos.address() as AddressInfo).port}/${path}`
  await newEndpoint(server, app, url, { timeoutMs: 1_000 })
  const key = await newApiKey(server, app)
  const { id } = (await post(server, app, key, { type: 'kyc.success', user: 'u', content: {} })).body as { id: string }
  await server.runtime.outbox.pass()
  const { body } = await call(server, 'GET', `/v1/apps/${app.slug}/events/${id}`, { token: key })
  const [delivery] = body['deliveries']
  // Anybody may close a connection, and a kept-alive one is tried once more.
  expect(calls.length).toBeGreaterThanOrEqual(1)
  if (status === 'held') {
    await server.runtime.outbox.pass()
    const later = await call(server, 'GET', `/v1/apps/${app.slug}/events/${id}`, { token: key })
    expect(later.body['deliveries'][0]).toMatchObject({ status, reason, attempts: [{ status: 410 }] })
  } else expect(delivery).toMatchObject({ status, reason })
  expect(server.logged()).not.toContain('"level":50')
})
