import type { Page } from 'playwright-core'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { App } from '../../server/app/app.ts'
import { newApiKey } from '../support/apiKey.ts'
import { newEndpoint, post, sent } from '../support/events.ts'
import { startReceiver } from '../support/receiver.ts'
import type { TestServer } from '../support/server.ts'
import { addressOf, drawn, useBrowser, visit, type Visit } from './browser.ts'
import { addOperator, signInOperator, startInstallation } from './installation.ts'

const browser = useBrowser()
let server: TestServer
const cookies: Record<string, { name: string; value: string }> = {}

beforeAll(async () => {
  server = await startInstallation()
  for (const role of ['owner', 'viewer'] as const)
    cookies[role] = await signInOperator(server, await addOperator(server, role))
})
afterAll(() => server.stop())

/** A window of an operator; at its end it must have complained about nothing. */
async function open(path: string, role = 'owner'): Promise<Visit> {
  const window = await visit(browser(), server, { cookie: cookies[role], patience: 15_000 })
  onTestFinished(async () => {
    await window.close()
    expect(window.complaints).toEqual([])
  })
  await window.open(path)
  return window
}

const makeApp = async (name: string): Promise<{ app: App; key: string }> => {
  const app = await server.createApp({ name })
  return { app, key: await newApiKey(server, app) }
}
const rows = (page: Page) => page.getByRole('table', { name: 'Notifications' }).locator('tbody tr[data-id]')

test('an endpoint is made, its secret shown once, and a test event tells what it answers', async () => {
  const { app } = await makeApp('Maker')
  const receiver = await startReceiver()
  const { page } = await open(`/apps/${app.publicId}?tab=webhooks`)
  await page.getByText('No endpoints yet').waitFor()
  await page.getByRole('link', { name: 'New endpoint' }).last().click()
  await page.getByLabel('URL').fill(receiver.url)
  await page.getByRole('button', { name: 'Remove type *' }).click()
  await page.getByLabel('Event types').fill('nonsense.*,')
  await page.getByRole('button', { name: 'Create endpoint' }).click()
  await page.getByText('nonsense.* is no event type of this app').waitFor()
  await page.getByRole('button', { name: 'Remove type nonsense.*' }).click()
  await page.getByRole('button', { name: 'Add txn.*' }).click()
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await page.getByLabel('Name of header 1').fill('x-api-key')
  await page.getByLabel('Value of header 1').fill('not for eyes')
  await page.getByRole('button', { name: 'Create endpoint' }).click()
  const secret = await page.getByText(/^whsec_/).innerText()
  await page.getByText('shown this once: it is kept encrypted').waitFor()

  await page.getByLabel('Content').fill(JSON.stringify({ ...sent.content, amount: 7, chainId: undefined }))
  await page.getByRole('button', { name: 'Send test event' }).click()
  await page.getByText('content.chainId is missing').waitFor()
  await page.getByLabel('Content').fill(JSON.stringify({ ...sent.content, amount: '12.50' }))
  await page.getByRole('button', { name: 'Send test event' }).click()
  await page.getByText('The receiver took it').waitFor()
  const [got] = receiver.received
  expect(got!.json.data.content.amount).toBe('12.50')
  expect(got!.headers['x-api-key']).toBe('not for eyes')
  new Webhook(secret).verify(got!.body, got!.headers as Record<string, string>)
  receiver.answer(401)
  await page.getByRole('button', { name: 'Send test event' }).click()
  await page.getByText('The receiver wants credentials (401)').waitFor()

  await page.getByRole('link', { name: 'See the exact request and answer' }).click()
  await page.getByText(`POST ${receiver.url}`).waitFor()
  await page.getByText('x-api-key: ••••').first().waitFor()
  await page.goBack()
  await page.reload()
  await drawn(page)
  await page.getByText('x-api-key: ••••••').waitFor()
  const content = await page.content()
  for (const hidden of [secret, 'not for eyes']) expect(content).not.toContain(hidden)
})

test('by keyboard: what failed, why, when it goes out again, and its replay', async () => {
  const { app, key } = await makeApp('Failing')
  const receiver = await startReceiver()
  receiver.answer((response) => response.writeHead(503, { 'x-served-by': 'edge-7' }).end('maintenance'))
  await newEndpoint(server, app, receiver.url)
  await post(server, app, key, sent)
  await post(server, app, key, { ...sent, user: 'somebody else' })
  await server.runtime.outbox.pass()
  const { page } = await open(`/notifications?app=${app.publicId}`)

  await page.getByLabel('Status').selectOption('retrying')
  await page.getByText('2 deliveries match').waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('somebody else')
  await page.keyboard.press('Enter')
  await page.getByText('1 delivery matches').waitFor()
  await drawn(page)
  expect(addressOf(page)).toContain('status=retrying&q=somebody+else')
  for (const name of ['j', 'Enter']) await page.keyboard.press(name)
  const drawer = page.getByRole('complementary', { name: 'Notification' })
  await drawer.getByText('The receiver is not available (503)').waitFor()
  await drawer.getByText(/Next try in 0:0\d min/).waitFor()
  await drawer.getByText('x-served-by: edge-7').waitFor()
  await drawer.getByText('maintenance').waitFor()
  await drawer.getByText('First byte').waitFor()
  await drawer.getByText('As curl').click()
  const [{ headers }] = receiver.received.filter(({ json }) => json.user === 'somebody else') as [
    (typeof receiver)['received'][number],
  ]
  const curl = await drawer.getByRole('region', { name: 'curl command' }).innerText()
  expect(curl).toContain(`-H 'webhook-signature: ${headers['webhook-signature'] as string}'`)
  await drawer.getByText('What the signature is computed over').click()
  const signed = await drawer.getByRole('region', { name: 'signed content' }).innerText()
  expect(signed).toMatch(
    `${headers['webhook-id'] as string}.${headers['webhook-timestamp'] as string}.{"user":"somebody else"`,
  )

  receiver.answer(204)
  await page.keyboard.press('r')
  await page.getByText('1 delivery on the way again').waitFor()
  await server.runtime.outbox.pass()
  // It looks by itself while something is under way.
  await drawer
    .getByText(/delivered$/)
    .first()
    .waitFor()
  await page.keyboard.press('Escape')
  await drawer.waitFor({ state: 'detached' })
  expect(receiver.received.filter(({ json }) => json.user === 'somebody else')).toHaveLength(2)
})

test('all that match go out again, after their number was shown', async () => {
  const { app, key } = await makeApp('Backlog')
  const receiver = await startReceiver()
  await newEndpoint(server, app, receiver.url, { ratePerSecond: 1_000 })
  for (let n = 0; n < 30; n++) await post(server, app, key, { ...sent, user: `u${n}` })
  await server.runtime.outbox.pass()
  const { page } = await open(`/notifications?app=${app.publicId}&status=delivered`)
  await page.getByText('30 deliveries match').waitFor()
  await page.getByRole('button', { name: 'Replay all that match…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('30 deliveries, of Backlog').waitFor()
  const go = dialog.getByRole('button', { name: 'Replay 30 deliveries' })
  expect(await go.isDisabled()).toBe(true)
  await dialog.getByLabel('Type “Backlog” to confirm').fill('Backlog')
  await go.click()
  await page.getByText('30 deliveries on the way again').waitFor()
  const before = receiver.received.length
  await server.runtime.outbox.pass()
  expect([before, receiver.received.length]).toEqual([30, 60])
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(30)
})

test('the live tail brings what is new on top, and waits while somebody reads', async () => {
  const { app, key } = await makeApp('Tail')
  await post(server, app, key, { ...sent, user: 'first' })
  const { page } = await open(`/notifications?app=${app.publicId}`)
  expect(await rows(page).count()).toBe(1)
  await page.keyboard.press('l')
  await page.waitForURL(/live=1/)
  await post(server, app, key, { ...sent, user: 'second' })
  await rows(page).nth(1).waitFor()
  expect(await rows(page).first().innerText()).toContain('second')

  await page.keyboard.press('j')
  const place = await rows(page).first().boundingBox()
  await post(server, app, key, { ...sent, user: 'third' })
  await page.getByRole('button', { name: '1 new one' }).waitFor()
  expect(await rows(page).count()).toBe(2)
  expect(await rows(page).first().boundingBox()).toEqual(place)
  await page.getByRole('button', { name: '1 new one' }).click()
  await rows(page).nth(2).waitFor()
  expect(await rows(page).first().innerText()).toContain('third')
})

test('a paused endpoint holds what happens, and sends it when it is switched on', async () => {
  const { app, key } = await makeApp('Pausing')
  const receiver = await startReceiver()
  await newEndpoint(server, app, receiver.url)
  const { page } = await open(`/apps/${app.publicId}?tab=webhooks`)
  await page.getByRole('link', { name: receiver.url }).click()
  await page.getByRole('button', { name: 'Pause' }).click()
  await page.getByText('Nothing is held for it yet').waitFor()
  await post(server, app, key, sent)
  await server.runtime.outbox.pass()
  await page.reload()
  await page.getByText('1 delivery is held for it').waitFor()
  await page.getByRole('button', { name: 'Switch on and send what was held' }).click()
  await page.getByText('On again, and 1 held delivery on the way').waitFor()
  await server.runtime.outbox.pass()
  expect(receiver.received.map(({ json }) => json.user)).toEqual([sent.user])
})

test('during a rotation both secrets sign, and the checker says which check of a signature fails', async () => {
  const { app, key } = await makeApp('Rotating')
  const receiver = await startReceiver()
  const { secret: old } = await newEndpoint(server, app, receiver.url)
  const { page } = await open(`/apps/${app.publicId}?tab=webhooks`)
  await page.getByRole('link', { name: receiver.url }).click()
  await page.getByRole('button', { name: 'New secret…' }).click()
  await page.getByText('Old and new both sign for 24 hours').waitFor()
  await page.getByRole('button', { name: 'Make a new secret' }).click()
  const secret = await page.getByText(/^whsec_/).innerText()
  await page.getByText('The one before signs along').waitFor()
  await post(server, app, key, sent)
  await server.runtime.outbox.pass()
  const { body, headers } = receiver.received[0]!
  for (const one of [old, secret]) new Webhook(one).verify(body, headers as Record<string, string>)

  await page.getByRole('link', { name: 'All endpoints' }).click()
  await page.getByRole('link', { name: 'Why is my signature refused?' }).click()
  const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature']
  await page
    .getByLabel('Headers', { exact: true })
    .fill(names.map((name) => `${name}: ${headers[name] as string}`).join('\n'))
  await page.getByLabel('Body', { exact: true }).fill(body)
  await page.getByLabel('Secret', { exact: true }).fill(old)
  const check = page.getByRole('button', { name: 'Check signature' })
  await check.click()
  await page.getByText('A receiver accepts it').waitFor()
  await page.getByLabel('Body', { exact: true }).fill(JSON.stringify(JSON.parse(body), null, 1))
  await check.click()
  await page.getByText('A receiver refuses it').waitFor()
  await page.getByText('the body was parsed and written anew').waitFor()
  expect(addressOf(page)).not.toContain('whsec')
})

test('a type of its own is written against its preview, used, and deleted', async () => {
  const { app, key } = await makeApp('Shop')
  const { page } = await open(`/apps/${app.publicId}?tab=events`)
  await page.getByRole('link', { name: 'New type' }).click()
  await page.getByLabel('Key', { exact: true }).fill('order.shipped')
  await page.getByRole('region', { name: 'Telegram' }).getByText('2 parcels will arrive soon.').waitFor()
  await page.getByLabel('Title, English').fill('Order {nmber} left')
  await page.getByText('names {nmber}, which the schema does not have').waitFor()
  await page.getByLabel('Title, English').fill('Order left: ')
  await page.getByRole('button', { name: 'Put in number' }).click()
  for (const part of ['Telegram', 'Inbox', 'E-mail'])
    await page.getByRole('region', { name: part, exact: true }).getByText('Order left: AB12').waitFor()
  await page.getByLabel('Add a language').selectOption('de')
  await page.getByLabel('Title, German').fill('Bestellung {number} unterwegs')
  await page.getByRole('region', { name: 'webhook body' }).getByText('Bestellung AB12 unterwegs').waitFor()
  await page.getByRole('button', { name: 'Create type' }).click()
  await page.getByText('Event type made').waitFor()
  await page.waitForURL(/type=order.shipped/)
  const event = { type: 'order.shipped', user: 'u', content: { number: 'X1', parcels: 1 }, locale: 'de' }
  expect((await post(server, app, key, event)).status).toBe(202)

  await page.getByRole('button', { name: 'Delete…' }).click()
  await page.getByRole('button', { name: 'Delete event type' }).click()
  await page.getByText('No types of its own').waitFor()
  expect((await post(server, app, key, event)).status).toBe(400)
  await page.getByRole('link', { name: 'Notifications' }).last().click()
  await page.getByText('Bestellung X1 unterwegs').waitFor()
})

test('texts of a built-in type are changed for one app, and taken back', async () => {
  const { app } = await makeApp('Worded')
  const { page } = await open(`/apps/${app.publicId}?tab=events&type=kyc.success`)
  // One preview a change, and none while nothing changes.
  const asked: string[] = []
  page.on('request', (request) => request.url().includes('eventTypes.preview') && asked.push(request.url()))
  await page.waitForTimeout(1_000)
  expect(asked).toEqual([])
  const title = page.getByLabel('Title, English')
  const before = await title.inputValue()
  await title.fill('You are verified')
  await page.getByRole('region', { name: 'Inbox' }).getByText('You are verified').waitFor()
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('Event type saved').waitFor()
  await page.getByText('own texts').first().waitFor()
  await page.getByRole('button', { name: 'Back to the built-in texts…' }).click()
  await page.getByRole('button', { name: 'Use the built-in texts' }).click()
  await page.getByText('Built-in texts are back').waitFor()
  await expect.poll(() => title.inputValue()).toBe(before)
})

test('a viewer looks and is offered nothing that changes anything', async () => {
  const { app, key } = await makeApp('Watched')
  const receiver = await startReceiver()
  const { row } = await newEndpoint(server, app, receiver.url)
  const { id } = (await post(server, app, key, sent)).body as { id: string }
  await server.runtime.outbox.pass()
  const { page, open: go } = await open(`/notifications?app=${app.publicId}`, 'viewer')
  const risky = page.getByRole('button', { name: /replay|pause|delete|new|send|save|switch on|create|add/i })
  const endpoint = server.runtime.vault.ids.seal('whe', row.id)
  for (const path of [
    `/notifications?app=${app.publicId}`,
    `/notifications/${id}`,
    `/apps/${app.publicId}?tab=webhooks`,
    `/apps/${app.publicId}?tab=webhooks&endpoint=${endpoint}`,
    `/apps/${app.publicId}?tab=events&type=kyc.success`,
  ]) {
    await go(path)
    const offered = []
    for (const one of await risky.all()) if (await one.isEnabled()) offered.push(await one.innerText())
    expect([path, offered]).toEqual([path, []])
  }
})
