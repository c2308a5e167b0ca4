import { updateEndpoint } from '../../server/webhook/store.ts'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { App } from '../../server/app/app.ts'
import { changeApp } from '../../server/app/change.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { newApiKey } from '../support/apiKey.ts'
import { listLog } from '../../server/delivery/logStore.ts'
import { signInWithTelegram } from '../support/signIn.ts'
import { person } from '../support/telegram.ts'
import { newEndpoint, patchEndpoint, post, sent } from '../support/events.ts'
import type { TestServer } from '../support/server.ts'

const texts: Record<string, [status: number, body: string]> = {
  '/ok': [204, ''],
  '/gone': [410, ''],
  '/busy': [503, '{"error":"upstream is being restarted","request":"01J9Z0"}'],
}

/** An app's own server that answers by path, for as long as this process lives. */
async function startSink(): Promise<string> {
  const server = createServer((request, response) => {
    const [status, body] = texts[request.url ?? ''] ?? [204, '']
    request.resume().on('end', () => response.writeHead(status, { 'content-type': 'text/plain' }).end(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const kinds = [
  sent,
  { type: 'buy.success', content: { symbol: 'BTC', amount: 0.00169875, addedPoints: 12 } },
  { type: 'kyc.success', content: {} },
  { type: 'swap.completed', content: { status: 'swap_success', symbolA: '1INCH', symbolB: 'BNB' } },
]

/** An afternoon of events of one app: taken, retried, given up, held and skipped ones, each for a reason a receiver really gave. */
export async function addEvents(server: TestServer, app: App, users: string[]) {
  const { clock, runtime } = server
  const sink = await startSink()
  const key = await newApiKey(server, app)
  await changeApp(runtime, cliActor, app.id, { channels: { inbox: true, telegram: false, email: true } })
  clock.pass(-6 * 3600)
  const ok = await newEndpoint(server, app, `${sink}/ok`, {
    description: 'Production',
    types: ['txn.*', 'buy.*', 'kyc.*'],
    headers: { 'x-api-key': 'a secret of the app' },
  })
  const busy = await newEndpoint(server, app, `${sink}/busy`, { description: 'Staging', types: ['swap.*', 'buy.*'] })
  const off = await newEndpoint(server, app, 'https://partner.example.com/webhooks/gatehouse', {
    description: 'A partner',
    types: ['kyc.*'],
  })
  await patchEndpoint(server, app, off.row.id, { state: 'paused' })
  const told = await newEndpoint(server, app, `${sink}/logout`, {
    description: 'Back-channel logout',
    payloadFormat: 'logout_token',
  })
  const zoe = {
    'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0',
    'x-forwarded-for': '198.51.100.77',
  }
  await signInWithTelegram(server, app, { ...person(77_000_001), first_name: 'Zoe', username: 'zoe_77' }, zoe)
  await signInWithTelegram(server, app, { ...person(77_000_001), first_name: 'Zoe', username: 'zoe_77' }, zoe)
  await runtime.outbox.pass()
  const ended = await listLog(runtime.db, { endpointId: told.row.id }, { limit: 1 })
  const ids: string[] = []
  for (let n = 0; n < 14; n++) {
    clock.pass(1500)
    const event = { ...kinds[n % kinds.length]!, user: users[n % users.length]! }
    const answer = await post(server, app, key, event)
    ids.push((answer.body as { id: string }).id)
    await runtime.outbox.pass()
  }
  // What no schedule would try again within this afternoon.
  const missing = await newEndpoint(server, app, 'http://127.0.0.1:4700/hook', {
    types: ['sell.*'],
    description: 'Old',
  })
  // An address that could be called when it was entered, and cannot any more.
  await runtime.db.transaction((tx) => updateEndpoint(tx, missing.row.id, { url: 'http://192.0.2.7/hook' }))
  const last = await post(server, app, key, {
    type: 'sell.success',
    user: users[0]!,
    content: { symbol: 'ETH', amount: '0.5' },
  })
  await runtime.outbox.pass()
  // One that says that it is gone, so that the console has something to ask for a hand with.
  await newEndpoint(server, app, `${sink}/gone`, { types: ['kyc.failed'], description: 'Moved away' })
  await post(server, app, key, { type: 'kyc.failed', user: users[1]!, content: {} })
  await runtime.outbox.pass()
  clock.now = new Date()
  return {
    endpoint: runtime.vault.ids.seal('whe', ok.row.id),
    failing: runtime.vault.ids.seal('whe', busy.row.id),
    paused: runtime.vault.ids.seal('whe', off.row.id),
    refused: runtime.vault.ids.seal('whe', missing.row.id),
    logout: runtime.vault.ids.seal('whe', told.row.id),
    told: runtime.vault.ids.seal('evt', ended.rows[0]!.id),
    delivered: ids[0]!,
    retrying: ids.at(-3)!,
    dead: (last.body as { id: string }).id,
  }
}
