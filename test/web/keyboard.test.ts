/// <reference lib="dom" />
import { mkdirSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { drawn, useBrowser, visit, type Visit } from './browser.ts'
import { addOperator, populate, signInOperator, startInstallation, type Populated } from './installation.ts'

// The template studio by keyboard alone. LOOK=/tmp/look makes pictures of where the focus is.

const folder = process.env['LOOK']
const browser = useBrowser()
let populated: Populated
let window: Visit
let page: Page

beforeAll(async () => {
  if (folder) mkdirSync(folder, { recursive: true })
  const server = await startInstallation()
  populated = await populate(server, 2)
  const cookie = await signInOperator(server, await addOperator(server, 'owner', 'Ada Byron'))
  window = await visit(browser(), server, { cookie, patience: 15_000 })
  page = window.page
})
afterAll(async () => {
  await window.close()
  await populated.server.stop()
})

type Focus = { name: string; ring: boolean }

/** What has the focus, by its name, and whether one sees that it has. */
const focus = (): Promise<Focus> =>
  page.evaluate(() => {
    let element = document.activeElement!
    if (element === document.body) return { name: 'the window', ring: false }
    while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
    const label = (element as HTMLInputElement).labels?.[0]?.textContent
    const name = element.getAttribute('aria-label') ?? label ?? element.getAttribute('title') ?? element.textContent
    // The editor shows its ring around all of it.
    const shown = element.closest('.cm-editor') ?? element
    const { outlineStyle, outlineWidth } = getComputedStyle(shown)
    return { name: name.trim().replace(/\s+/g, ' '), ring: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 }
  })

const press = async (...keys: string[]) => {
  for (const key of keys) await page.keyboard.press(key)
}

/** Tabs on until something has the focus; every stop on the way must be seen. */
async function tabTo(name: string | RegExp, key = 'Tab'): Promise<void> {
  const passed: string[] = []
  for (let at = 0; at < 60; at++) {
    // Out of the editor it takes Escape first.
    if (/^(HTML|Text) of the mail$/.test(passed.at(-1) ?? '')) await press('Escape')
    await press(key)
    const now = await focus()
    passed.push(now.name)
    // A frame's inside shows its focus itself, and beyond the last stop is the browser's own.
    if (now.name !== 'Preview of the mail' && now.name !== 'the window')
      await expect.poll(async () => (await focus()).ring, { message: `the focus on ${now.name} is seen` }).toBe(true)
    if (typeof name === 'string' ? now.name === name : name.test(now.name)) return
  }
  throw new Error(`${String(name)} is not reached: ${passed.join(' → ')}`)
}

const mail = () => page.frameLocator('iframe[title="Preview of the mail"]').frameLocator('iframe')
const look = (name: string) => (folder ? page.screenshot({ path: `${folder}/keyboard-${name}.png` }) : undefined)
const text = () => page.locator('[data-editor="code"] .cm-content').innerText()

async function openStudio(): Promise<void> {
  await window.open(`/templates/signature_updated?app=${populated.apps.quest.publicId}`)
  await page.locator('[data-editor="code"] .cm-content').waitFor()
  await mail().getByText('Your signature was changed').waitFor()
}

test('the editor is entered and left by keyboard, and a finding leads to its place', async () => {
  await openStudio()
  await tabTo('Subject')
  await press('End')
  await page.keyboard.type(' {{ app.nmae }}')
  await page.getByText('There is no variable app.nmae here').waitFor()
  await tabTo('HTML of the mail')
  await look('editor')
  // Tab is the editor's until Escape was pressed.
  const before = await text()
  await press('Tab')
  expect(await text()).not.toBe(before)
  expect((await focus()).name).toBe('HTML of the mail')
  await press('Escape', 'Tab')
  expect((await focus()).name).toMatch(/There is no variable app.nmae here/)
  await press('Enter')
  expect((await focus()).name).toBe('Subject')
  await press('End', ...Array<string>(15).fill('Backspace'))
  await page.getByText('There is no variable app.nmae here').waitFor({ state: 'detached' })
  await tabTo('HTML of the mail')
  await press('Escape', 'Shift+Tab')
  expect((await focus()).name).toBe('Insert a variable')
})

test('a variable is chosen with arrow keys and stands where the cursor was', async () => {
  await openStudio()
  await tabTo('Text')
  await press('Enter')
  await page.locator('[data-editor="code"] .cm-content').waitFor()
  await tabTo('Text of the mail')
  await press('Control+End', 'Escape', 'Shift+Tab', 'Enter')
  await page.getByRole('menu', { name: 'Variables' }).waitFor()
  await look('variables')
  await expect.poll(async () => (await focus()).name).toMatch(/^app\.name/)
  await press('Escape')
  await page.getByRole('menu', { name: 'Variables' }).waitFor({ state: 'hidden' })
  expect(await focus()).toEqual({ name: 'Insert a variable', ring: true })
  await press('Enter')
  await expect.poll(async () => (await focus()).name).toMatch(/^app\.name/)
  await press('ArrowDown', 'ArrowDown')
  expect((await focus()).name).toMatch(/^app\.supportEmail/)
  await press('ArrowUp', 'ArrowUp', 'ArrowUp')
  expect((await focus()).name).not.toMatch(/^app\./)
  await press('Home', 'ArrowDown', 'ArrowDown', 'Enter')
  expect((await focus()).name).toBe('Text of the mail')
  expect((await text()).trimEnd()).toMatch(/\{\{ app\.supportEmail \}\}$/)
})

test('view, data and language are switched, and no language takes what is not saved', async () => {
  await openStudio()
  await tabTo('Dark')
  await press('Enter')
  expect(await page.getByRole('button', { name: 'Dark', exact: true }).getAttribute('aria-pressed')).toBe('true')
  await look('dark-view')
  await tabTo('Data')
  await press('ArrowDown')
  await mail().getByText('<script>alert(1)</script>').waitFor()
  await tabTo('Text', 'Shift+Tab')
  await press('Space')
  await page.getByLabel('Text part').waitFor()

  await tabTo('Language', 'Shift+Tab')
  await press('ArrowDown')
  await page.waitForURL(/locale=de/)
  await drawn(page)
  await mail().getByText('Schreiben Sie uns').last().waitFor()
  await expect.poll(async () => (await focus()).name).toBe('Language')
  await tabTo('Subject')
  await page.keyboard.type('x')
  await tabTo('Language', 'Shift+Tab')
  page.once('dialog', (dialog) => void dialog.dismiss())
  await press('ArrowDown')
  await expect.poll(() => page.getByLabel('Language').inputValue()).toBe('de')
  expect(page.url()).toContain('locale=de')
  expect(await page.getByLabel('Subject').inputValue()).toMatch(/^x/)
  page.once('dialog', (dialog) => void dialog.accept())
  await press('ArrowUp')
  await page.waitForURL(/locale=en/)
  await drawn(page)
  // What was written in one language does not stand in the other's editor.
  await mail().getByText('Your signature was changed').waitFor()
  await page.getByText('not saved').waitFor({ state: 'detached' })
  expect(await page.getByLabel('Subject').inputValue()).toBe('Your {{ app.name }} signature was changed')
})
test('a draft is tried out, saved, shared and published, and versions are compared', async () => {
  await openStudio()
  await tabTo('Subject')
  await page.keyboard.type('By hand: ')
  await page.getByText('By hand: ').waitFor()
  await tabTo('Send test to me', 'Shift+Tab')
  await press('Enter')
  await page.getByText('On its way to owner@example.com').waitFor()
  expect((await focus()).name).toBe('Send test to me')
  await tabTo('Save draft')
  await press('Enter')
  await page.getByText('Draft saved; nobody gets it yet').waitFor()
  await tabTo('Share', 'Shift+Tab')
  await press('Enter')
  await page.getByRole('dialog', { name: 'Share this mail' }).waitFor()
  expect((await focus()).name).toBe('Copy link')
  await press('Escape')
  expect(await focus()).toEqual({ name: 'Share', ring: true })
  await tabTo('Publish')
  await press('Enter')
  await page.getByText('Version 1 is sent from now on').waitFor()
  await tabTo('Subject')
  await page.keyboard.type('More ')
  await tabTo('Versions', 'Shift+Tab')
  await press('Enter')
  await tabTo('Compare')
  await press('Enter')
  await page.getByLabel('Changes of subject').waitFor()
  await look('versions')
  await tabTo('Changes of subject')
  await press('Escape')
  expect(await focus()).toEqual({ name: 'Versions', ring: true })
  expect(window.complaints).toEqual([])
})
