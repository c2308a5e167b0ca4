import { expect, test } from 'vitest'
import { useBrowser, visit } from './browser.ts'
import { addOperator, signInOperator, startInstallation } from './installation.ts'
import { auditAll, testPages } from './pages.ts'

const browser = useBrowser()
testPages(browser, { phone: true, widths: [390, 320] })

test('an installation in which nothing has happened yet says what to do next', async () => {
  const server = await startInstallation()
  const window = await visit(browser(), server, {
    cookie: await signInOperator(server, await addOperator(server, 'owner')),
    phone: true,
  })
  const paths = ['/', '/sessions', '/users', '/notifications', '/apps'].map((path) => ({ path }))
  expect(await auditAll(window, paths, [390])).toEqual({})
  await window.page.getByRole('link', { name: 'New app' }).last().waitFor()
  await window.close()
  await server.stop()
}, 120_000)
