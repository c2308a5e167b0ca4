import { expect, test } from 'vitest'
import { useBrowser, visit } from './browser.ts'
import { signInOperator } from './installation.ts'
import { auditAll, testPages } from './pages.ts'

const browser = useBrowser()
const installation = testPages(browser, { phone: false, widths: [1440] })

test('a viewer sees pages that are whole', async () => {
  const { server, ids, events } = installation()
  const window = await visit(browser(), server, { cookie: await signInOperator(server, 'viewer@example.com') })
  const paths = [`/sessions/${ids.session}`, `/users/${ids.user}`, `/apps/${ids.app}?tab=policy`, '/operators']
  paths.push(`/apps/${ids.app}?tab=webhooks&endpoint=${events.paused}`, `/apps/${ids.app}?tab=events&type=kyc.success`)
  expect(await auditAll(window, [...paths.map((path) => ({ path }))], [1440])).toEqual({})
  await window.close()
}, 120_000)

test('every part of an app is in sight at once, whatever the width of the desk', async () => {
  const { server, ids } = installation()
  const window = await visit(browser(), server, { cookie: await signInOperator(server, 'viewer@example.com') })
  for (const width of [1920, 1440, 1280, 1100, 800]) {
    await window.page.setViewportSize({ width, height: 900 })
    await window.open(`/apps/${ids.app}`)
    const parts = window.page.getByRole('navigation', { name: 'Parts of the app' })
    const hidden = await parts.evaluate((strip) => {
      const { left, right } = strip.getBoundingClientRect()
      return [...strip.querySelectorAll('a')].flatMap((tab) => {
        const place = tab.getBoundingClientRect()
        return place.left < left || place.right > right || place.bottom > innerHeight ? [tab.textContent.trim()] : []
      })
    })
    expect([width, hidden]).toEqual([width, []])
  }
  await window.close()
}, 60_000)
