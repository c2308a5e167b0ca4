import { expect, test } from 'vitest'
import { bearer, operatorToken } from '../support/operator.ts'
import { call } from '../support/server.ts'
import { telegramApp } from '../support/signIn.ts'
import { forge, type Watched } from '../support/traffic.ts'
import { useBrowser, visit } from './browser.ts'
import { addOperator, signInOperator, startInstallation } from './installation.ts'

const browser = useBrowser()

test('a finding says since when, and why somebody was stopped names the block, its author and where it holds', async () => {
  const server = await startInstallation()
  const app = await telegramApp(server, { slug: 'quest', name: 'Ton Quest' })
  const operator = bearer(await operatorToken(server, 'owner', 'ann@example.com'))
  const world: Watched = { server, app, operator }
  for (let n = 0; n < 25; n++) await forge(world, n, '203.0.113.66')
  const blocks = [
    { kind: 'network', value: '198.51.100.0/24', appId: app.publicId, reason: 'ticket 4711' },
    { kind: 'address', value: '192.0.2.7', reason: 'ticket 4712' },
  ]
  for (const body of blocks) await call(server, 'POST', '/api/v1/blocks', { body, headers: operator })

  const cookie = await signInOperator(server, await addOperator(server, 'owner', 'Ada Byron'))
  const { page, open, close, complaints } = await visit(browser(), server, { cookie })
  await open('/traffic')
  const findings = page.getByRole('table', { name: 'Findings' })
  await findings.getByRole('columnheader', { name: 'Since' }).waitFor()
  const row = findings.getByRole('row', { name: /Failed proofs/ })
  expect(await row.locator('time').count()).toBe(2)
  await row.getByRole('link', { name: '203.0.113.66' }).click()
  await page.getByText(/^since/).waitFor()

  await open('/traffic?tab=why&q=198.51.100.0%2F24')
  await page.getByText('This network is blocked now').waitFor()
  const told = page.getByRole('listitem').filter({ hasText: 'ticket 4711' })
  expect(await told.innerText()).toMatch(/ann@example\.com · in Ton Quest/)
  expect(await told.innerText()).toMatch(/until it is lifted/)

  await open('/traffic?tab=blocks')
  const table = page.getByRole('table', { name: 'Blocks and allowances' })
  expect(await table.getByRole('row', { name: /198\.51\.100\.0/ }).innerText()).toMatch(/in Ton Quest/)
  expect(await table.getByRole('row', { name: /192\.0\.2\.7/ }).innerText()).not.toMatch(/in Ton Quest/)

  // An app is blocked by its id, a user cannot be allowed.
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Block or allow' }).click()
  await dialog.getByLabel('Who').fill('10/8')
  await dialog.getByLabel('Reason').fill('ticket 4713')
  await dialog.getByRole('button', { name: 'Block', exact: true }).click()
  await dialog.getByText('must be a CIDR network such as 203.0.113.0/24').waitFor()
  await dialog.getByLabel('Who').fill(app.publicId)
  await dialog.getByRole('button', { name: 'Block', exact: true }).click()
  await dialog.waitFor({ state: 'detached' })
  await table.getByRole('row', { name: /Ton Quest.*ticket 4713/s }).waitFor()
  expect(complaints).toEqual([])
  await close()
  await server.stop()
})
