import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { App } from '../../server/app/app.ts'
import type { Role } from '../../server/operator/operator.ts'
import { setupLink } from '../../server/operator/setup.ts'
import { password } from '../support/operator.ts'
import { startServer, type Answer, type TestServer } from '../support/server.ts'
import { checkSession } from '../support/signIn.ts'
import { botToken, person } from '../support/telegram.ts'
import { audit } from './audit.ts'
import { addressOf, drawn, useBrowser, visit, type Visit } from './browser.ts'
import { addOperator, devices, signIn, signInOperator, startInstallation } from './installation.ts'

const browser = useBrowser()
const PATIENCE = 15_000

/** A window of an operator, or of nobody yet; at its end it must have complained about nothing. */
async function open(server: TestServer, path: string, email?: string): Promise<Visit> {
  const cookie = email === undefined ? undefined : await signInOperator(server, email)
  const window = await visit(browser(), server, { cookie, patience: PATIENCE })
  onTestFinished(async () => {
    await window.close()
    expect(window.complaints).toEqual([])
  })
  await window.open(path)
  return window
}

const refusal = async (server: TestServer, signedIn: Answer) => {
  const { status, body } = await checkSession(server, signedIn.body['accessToken'])
  return [status, body['reason']]
}
const ALIVE = [200, undefined]

async function fillSignIn(page: Page, email: string, secret = password): Promise<void> {
  await page.getByLabel('E-mail').fill(email)
  await page.getByLabel('Password').fill(secret)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

test('from the set-up link to the first session, and its end by keyboard alone', async () => {
  const server = await startInstallation()
  onTestFinished(() => server.stop())
  const link = new URL((await setupLink(server.runtime))!)
  const { page } = await open(server, link.pathname.replace('/console', '') + link.search)

  await page.getByLabel('Name').fill('Ada Byron')
  await page.getByLabel('E-mail').fill('ada@example.com')
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Create and sign in' }).click()
  await page.getByText('0 of 6 done').waitFor()
  await page.getByText('They appear here the moment somebody signs in.').waitFor()

  await page.getByRole('link', { name: 'Create an app' }).click()
  await page.getByLabel('Name').fill('Ton Quest')
  await page.getByLabel('Telegram bot token').fill(botToken)
  await page.getByRole('button', { name: 'Create app' }).click()
  await page.getByText('Bot 7000000001').waitFor()
  expect(await page.content()).not.toContain(botToken)
  // The snippets carry what this app is really called.
  await page.getByText('/v1/apps/ton-quest/telegram/login').waitFor()
  await page.getByRole('link', { name: 'Audiences' }).click()
  await page.getByLabel('Audience IDs').fill('ton-quest')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('Audiences saved').waitFor()

  const signedIn = await signIn(server, { slug: 'ton-quest' } as App, person(1001))
  expect(signedIn.status).toBe(200)
  await page.getByRole('link', { name: 'Overview' }).first().click()
  await page.getByText('4 of 6 done').waitFor()

  // No pointer from here on.
  for (const key of ['g', 's']) await page.keyboard.press(key)
  await page.getByText('1 session', { exact: true }).waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('person1001')
  await page.keyboard.press('Enter')
  await page.getByText('1 match', { exact: true }).waitFor()
  await drawn(page)
  for (const key of ['j', 'Enter']) await page.keyboard.press(key)
  const drawer = page.getByRole('complementary', { name: 'Session' })
  await drawer.getByText('Why it lives').waitFor()
  await drawer.getByText('Telegram iOS 12.1').waitFor()
  await page.keyboard.press('r')
  await page.getByText('Session of @person1001 revoked').waitFor()
  expect(await refusal(server, signedIn)).toEqual([401, 'revoked_by_operator'])
  await drawer.getByText('An operator ended it. By ada@example.com.').waitFor()
  await page.keyboard.press('Escape')
  await drawer.waitFor({ state: 'detached' })
  // The keyboard is where it was: on the row.
  expect(await page.evaluate('document.activeElement?.closest("tr") !== null')).toBe(true)
}, 90_000)

describe('in an installation that runs', () => {
  let server: TestServer
  const makeApp = (name: string, most = 1) =>
    server.createApp({ name, telegram: { botToken }, sessionPolicy: { maxConcurrentSessions: most } })
  const emails: Partial<Record<Role, string>> = {}

  beforeAll(async () => {
    server = await startInstallation()
    for (const role of ['owner', 'viewer'] as const) emails[role] = await addOperator(server, role)
  })
  afterAll(() => server.stop())

  test('all that match end together, after their number was shown and the name typed', async () => {
    const app = await makeApp('Crowd')
    const people = []
    for (let n = 0; n < 55; n++) people.push(await signIn(server, app, person(2000 + n)))
    const elsewhere = await signIn(server, await makeApp('Elsewhere'), person(2000))
    const { page } = await open(server, `/sessions?app=${app.publicId}&status=active`, emails.owner)

    await page.getByText('55 matches').waitFor()
    await page.getByLabel('Select all on this page').click()
    await page.getByText('50 selected').waitFor()
    await page.getByRole('button', { name: 'Select all 55 that match' }).click()
    await page.getByRole('button', { name: 'Revoke all' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('55 sessions of 55 users').waitFor()
    const go = dialog.getByRole('button', { name: 'Revoke 55 sessions' })
    expect(await go.isDisabled()).toBe(true)
    await dialog.getByLabel('Type “Crowd” to confirm').fill('Crowd')
    await go.click()
    await page.getByText('55 sessions revoked').waitFor()
    await page.getByText('No session matches').waitFor()
    for (const one of [people[0]!, people[54]!])
      expect(await refusal(server, one)).toEqual([401, 'revoked_by_operator'])
    expect(await refusal(server, elsewhere)).toEqual(ALIVE)
  })

  test('sessions are found by when they were last used and by where they came from', async () => {
    const app = await makeApp('Elsewhen', 5)
    server.clock.pass(-2 * 86_400)
    await signIn(server, app, person(2600))
    server.clock.pass(2 * 86_400)
    await signIn(server, app, person(2601))
    const { page } = await open(server, `/sessions?app=${app.publicId}`, emails.owner)
    await page.getByText('2 matches').waitFor()
    await page.getByLabel('Last used', { exact: true }).selectOption('24h')
    await page.getByText('1 match', { exact: true }).waitFor()
    await page.getByText('Last used: last 24 hours').waitFor()
    expect(new URL(page.url()).searchParams.get('used')).toBe('24h')
    await page.getByLabel('Last used', { exact: true }).selectOption('')
    await page.getByText('2 matches').waitFor()
    for (const [network, found] of [
      ['127.0.0.0/24', '2 matches'],
      ['10.0.0.0/8', '0 matches'],
    ] as const) {
      await page.getByRole('searchbox').fill(network)
      await page.getByText(found, { exact: true }).waitFor()
    }
  })

  test('a lower limit says whom it signs out, does so on saving, and the audit log keeps both values', async () => {
    const app = await makeApp('Trim', 3)
    const devicesOf = []
    for (const device of [devices.android, devices.ios, devices.mac]) {
      devicesOf.push(await signIn(server, app, person(3001), device))
      server.clock.pass(1)
    }
    const { page } = await open(server, `/apps/${app.publicId}?tab=policy`, emails.owner)

    await page.getByLabel('Sessions at the same time, per user').fill('1')
    await page.getByText(/signs out 2 sessions of 1 user the moment you save, out of 3 live/).waitFor()
    for (const one of devicesOf) expect(await refusal(server, one)).toEqual(ALIVE)
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByRole('dialog').getByText('3 → 1 sessions per user').waitFor()
    await page.getByRole('button', { name: 'Save and sign out' }).click()
    await page.getByText('Session policy saved').waitFor()
    const ends = [[401, 'limit_exceeded'], [401, 'limit_exceeded'], ALIVE]
    expect(await Promise.all(devicesOf.map((one) => refusal(server, one)))).toEqual(ends)

    await page.getByRole('link', { name: 'Overview' }).last().click()
    await page.getByRole('link', { name: 'just now' }).click()
    const entry = page.locator('details', { hasText: 'app.update' })
    await entry.locator('summary').click()
    await entry.getByText('sessionPolicy.maxConcurrentSessions').waitFor()
    expect(await entry.locator('del').innerText()).toMatch(/3$/)
    expect(await entry.locator('ins').innerText()).toMatch(/1$/)
    await page.getByText('chain intact').waitFor()
  })

  test('a shorter idle time says whom it signs out, too', async () => {
    const app = await makeApp('Idle')
    const idle = await signIn(server, app, person(3101))
    server.clock.pass(600)
    const busy = await signIn(server, app, person(3102))
    const { page } = await open(server, `/apps/${app.publicId}?tab=policy`, emails.owner)

    await page.getByLabel('Idle timeout', { exact: true }).last().fill('300')
    await page.getByLabel('Unit of idle timeout').selectOption({ label: 'seconds' })
    await page.getByText(/signs out 1 session of 1 user the moment you save, out of 2 live/).waitFor()
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByRole('button', { name: 'Save and sign out' }).click()
    await page.getByText('Session policy saved').waitFor()
    expect(await refusal(server, idle)).toEqual([401, 'idle_timeout'])
    expect(await refusal(server, busy)).toEqual(ALIVE)
  })

  test('the token inspector says why a token is refused and whose it was', async () => {
    const app = await makeApp('Inspected')
    const signedIn = await signIn(server, app, person(4001))
    const { page } = await open(server, '/tokens', emails.owner)

    await page.getByLabel('Any token').fill(signedIn.body['accessToken'])
    await page.getByRole('button', { name: 'Inspect' }).click()
    await page.getByText('Access token (JWT): accepted.').waitFor()
    await page.getByRole('button', { name: 'Revoke…' }).click()
    await page.getByRole('button', { name: 'Revoke token' }).click()
    await page.getByText('Access token (JWT): refused.').waitFor()
    await page.getByText('An operator ended this session').first().waitFor()
    await page.getByRole('link', { name: '@person4001' }).waitFor()
    expect(addressOf(page)).toBe('/console/tokens')
    expect(await refusal(server, signedIn)).toEqual([401, 'revoked_by_operator'])
  })

  test('a blocked user is out at once and cannot come back in', async () => {
    const app = await makeApp('Bouncer')
    const signedIn = await signIn(server, app, person(5001))
    const { page } = await open(server, '/users?q=person5001', emails.owner)

    await page.getByRole('link', { name: '@person5001', exact: true }).click()
    await page.getByRole('button', { name: 'Block…' }).click()
    await page.getByLabel('Reason, kept in the audit log').fill('Resold accounts')
    await page.getByRole('button', { name: 'Block user' }).click()
    await page.getByText('Blocked: Resold accounts').waitFor()
    expect(await refusal(server, signedIn)).toEqual([401, 'user_blocked'])
    const again = await signIn(server, app, person(5001))
    expect([again.status, again.body['code']]).toEqual([403, 'user_blocked'])
    await page.getByRole('button', { name: 'Unblock' }).click()
    await page.getByText('User may sign in again').waitFor()
    expect((await signIn(server, app, person(5001))).status).toBe(200)
  })

  test('a key is shown once, and a taken slug is refused beside its field', async () => {
    const app = await makeApp('Keys')
    const { page } = await open(server, `/apps/${app.publicId}?tab=keys`, emails.owner)
    await page.getByLabel('Name', { exact: true }).fill('Backend')
    await page.getByRole('button', { name: 'Create key' }).click()
    await page.getByText(/gh_sk_/).waitFor()
    await page.reload()
    await drawn(page)
    await page.getByRole('cell', { name: 'Backend', exact: true }).waitFor()
    expect(await page.content()).not.toContain('gh_sk_')

    await page.goto('/console/apps/new')
    await page.getByLabel('Name').fill('Keys')
    await page.getByRole('button', { name: 'Create app' }).click()
    await page.getByText('is taken by another app').waitFor()
    expect(await page.getByLabel('Slug').getAttribute('aria-invalid')).toBe('true')
  })

  test('a viewer is offered nothing that the server would refuse, and it refuses', async () => {
    const app = await makeApp('Looked at')
    const signedIn = await signIn(server, app, person(6001))
    const { page, open: go } = await open(server, `/sessions?app=${app.publicId}`, emails.viewer)
    const risky = page.getByRole('button', { name: /revoke|block|erase|delete|rotate|save|create|disable/i })
    const { session, user } = signedIn.body
    const paths = [`/sessions?session=${session.id}`, `/sessions/${session.id}`, `/users/${user.id}`, '/keys']
    for (const path of [`/sessions?app=${app.publicId}`, ...paths, `/apps/${app.publicId}?tab=policy`]) {
      await go(path)
      expect([path, await risky.allInnerTexts()]).toEqual([path, []])
    }
    expect(await page.getByRole('link', { name: 'Danger zone' }).count()).toBe(0)
    const status = await page.evaluate(
      `fetch('/trpc/sessions.revoke', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"id":"${session.id}"}' }).then((answer) => answer.status)`,
    )
    expect(status).toBe(403)
    expect(await refusal(server, signedIn)).toEqual(ALIVE)
  })

  test('a wrong password is told, and the right one leads to where one wanted to go', async () => {
    const { page } = await open(server, '/users?status=blocked')
    await page.waitForURL(/sign-in/)
    await fillSignIn(page, emails.owner!, 'not the password')
    await page.getByText('The e-mail address or the password is wrong').waitFor()
    await fillSignIn(page, emails.owner!)
    await page.waitForURL(/\/console\/users\?status=blocked$/)
    await page.getByRole('heading', { name: 'Users' }).waitFor()
  })
})

test('an operator who was away too long signs in again and is where they were', async () => {
  const server = await startInstallation()
  onTestFinished(() => server.stop())
  const email = await addOperator(server, 'admin')
  const { page } = await open(server, '/sessions?status=ended', email)
  server.clock.pass(3_601)
  await page.getByRole('button', { name: 'Active' }).click()
  await page.waitForURL(/sign-in/)
  await fillSignIn(page, email)
  await page.waitForURL(/\/console\/sessions\?status=active$/)
  await page.getByText('No session matches').waitFor()
})

test('a server that is gone is told in words, and the page recovers when it is back', async () => {
  const server = await startInstallation()
  const { page, complaints } = await open(server, '/sessions', await addOperator(server, 'owner'))
  await page.getByText('0 sessions').waitFor()
  // By now the code of the other pages is there, as when somebody works.
  await page.waitForTimeout(3_000)
  await page.waitForLoadState('networkidle')
  const { port } = new URL(server.url)
  await server.stop()
  await page.getByRole('link', { name: 'Users' }).first().click()
  await page.getByText('The server did not answer').waitFor()
  expect(addressOf(page)).toBe('/console/users')
  expect(await audit(page, [1440])).toEqual([])
  await startServer({
    databaseUrl: server.runtime.config.databaseUrl,
    now: server.clock.now,
    env: { PORT: port },
  })
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByText('No users yet').waitFor()
  expect(complaints.every((complaint) => complaint.includes('ERR_CONNECTION_REFUSED'))).toBe(true)
  complaints.length = 0
})
