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
