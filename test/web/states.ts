import type { Page } from 'playwright-core'

type State = { name: string; path: string; enter: (page: Page) => Promise<unknown>; only?: 'wide' | 'narrow' }

/** What pages look like between two clicks: layers, refusals, selections. Each must be as accessible as the page at rest. */
export const states: State[] = [
  {
    name: 'palette',
    path: '/',
    enter: async (page) => (await page.keyboard.press('Control+k'), page.getByPlaceholder('Page, @user').fill('12.3')),
  },
  {
    name: 'help',
    path: '/sessions',
    enter: async (page) => (await page.keyboard.press('Shift+?'), page.getByRole('dialog').waitFor()),
  },
  {
    name: 'selection',
    path: '/sessions?status=active',
    enter: async (page) => (
      await page.getByRole('checkbox').nth(1).click(),
      await page
        .getByRole('checkbox')
        .nth(5)
        .click({ modifiers: ['Shift'] }),
      page.getByText('5 selected').waitFor()
    ),
  },
  {
    name: 'confirm',
    path: '/apps',
    enter: async (page) => {
      await page.getByRole('link', { name: 'Mini Wallet', exact: true }).click()
      await page.getByRole('link', { name: 'Danger zone' }).click()
      await page.getByRole('button', { name: 'Delete…' }).click()
      await page.getByRole('dialog').getByLabel('Type “Mini Wallet” to confirm').waitFor()
    },
  },
  {
    name: 'drawer and toast',
    path: '/sessions?status=active',
    only: 'wide',
    enter: async (page) => {
      for (const key of ['j', 'j', 'Enter']) await page.keyboard.press(key)
      await page.getByRole('complementary', { name: 'Session' }).getByText('Why it lives').waitFor()
      await page.keyboard.press('r')
      await page.getByText(/^Session of .* revoked$/).waitFor()
    },
  },
  {
    name: 'operator menu',
    path: '/',
    only: 'wide',
    enter: (page) => page.getByRole('button', { name: 'You and your preferences' }).first().click(),
  },
  { name: 'more', path: '/', only: 'narrow', enter: (page) => page.getByRole('button', { name: 'More' }).click() },
  {
    name: 'policy impact',
    path: '/apps',
    enter: async (page) => {
      await page.getByRole('link', { name: 'Mini Wallet', exact: true }).click()
      await page.getByRole('link', { name: 'Session policy' }).click()
      await page.getByLabel('Sessions at the same time').fill('1')
      await page.getByText(/signs (out|nobody)/).waitFor()
    },
  },
  {
    name: 'key shown once',
    path: '/apps',
    enter: async (page) => {
      await page.locator('a[data-row]').first().click()
      await page.getByRole('link', { name: 'API keys' }).click()
      await page.getByLabel('Name', { exact: true }).fill('Backend')
      await page.getByRole('button', { name: 'Create key' }).click()
      await page.getByText('shown this once').waitFor()
    },
  },
  {
    name: 'replay question',
    path: '/notifications?status=retrying',
    enter: async (page) => {
      await page.getByRole('button', { name: 'Replay all that match…' }).click()
      await page.getByRole('dialog').getByText('of all apps').waitFor()
    },
  },
  {
    name: 'tried endpoint with a new secret',
    path: '/apps',
    enter: async (page) => {
      await page.getByRole('link', { name: 'Ton Quest', exact: true }).click()
      await page.getByRole('link', { name: 'Webhooks' }).click()
      await page.getByRole('link', { name: /\/ok$/ }).click()
      await page.getByRole('button', { name: 'New secret…' }).click()
      await page.getByRole('button', { name: 'Make a new secret' }).click()
      await page.getByText('shown this once').waitFor()
      await page.getByRole('button', { name: 'Send test event' }).click()
      await page.getByText('The receiver took it').waitFor()
      await page.evaluate('scrollTo(0, 0)')
    },
  },
  {
    name: 'checked signature',
    path: '/apps',
    enter: async (page) => {
      await page.getByRole('link', { name: 'Ton Quest', exact: true }).click()
      await page.getByRole('link', { name: 'Webhooks' }).click()
      await page.getByRole('link', { name: 'Why is my signature refused?' }).click()
      await page.getByLabel('Headers', { exact: true }).fill('webhook-id: evt_1')
      await page.getByLabel('Secret', { exact: true }).fill('whsec_c2VjcmV0')
      await page.getByRole('button', { name: 'Check signature' }).click()
      await page.getByText('A receiver refuses it').waitFor()
    },
  },
  {
    name: 'inspected token',
    path: '/tokens',
    enter: async (page) => (
      await page.getByLabel('Any token').fill('eyJhbGciOiJFZERTQSJ9.e30.c2ln'),
      await page.getByRole('button', { name: 'Inspect' }).click(),
      page.locator('[aria-live] .font-medium').first().waitFor()
    ),
  },
  {
    name: 'tried token',
    path: '/apps',
    enter: async (page) => {
      await page.getByRole('link', { name: 'Ton Quest', exact: true }).click()
      await page.getByRole('link', { name: 'SSO' }).click()
      await page.getByLabel('A token of your app').fill('ann-3')
      await page.getByRole('button', { name: 'Ask your server' }).click()
      await page.getByText('The claims do not hold').waitFor()
      // Half under the bar of tabs a field counts as too small to touch.
      await page.evaluate(() => scrollTo(0, 0))
    },
  },
  { name: 'audit entry', path: '/audit', enter: (page) => page.locator('summary').nth(1).click() },
  {
    name: 'refused sign-in',
    path: '/sign-in',
    enter: async (page) => {
      await page.getByLabel('E-mail').fill('ada@example.com')
      await page.getByLabel('Password').fill('wrong')
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByText('The e-mail address or the password is wrong').waitFor()
    },
  },
]
