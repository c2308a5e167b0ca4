import { mkdirSync } from 'node:fs'
import { test } from 'vitest'
import { setTheme, useBrowser, visit } from './browser.ts'
import { addOperator, populate, signInOperator, startInstallation } from './installation.ts'
import { routes } from './routes.ts'

const folder = process.env['LOOK']
const browser = useBrowser()

// For human eyes, not among the tests: LOOK=/tmp/look npx vitest run --config test/vitest.config.ts --project web look
test('every page as a picture', { timeout: 600_000 }, async () => {
  const server = await startInstallation()
  const populated = await populate(server, 60)
  const cookie = await signInOperator(server, await addOperator(server, 'owner', 'Ada Byron'))
  await addOperator(server, 'viewer')
  mkdirSync(folder!, { recursive: true })
  // Parts of addresses, with commas between; `/` is the overview alone.
  const only = process.env['LOOK_AT']?.split(',')
  for (const phone of [false, true]) {
    const { page, open, close } = await visit(browser(), server, { cookie, phone })
    for (const { path } of routes(populated)) {
      if (only && !only.some((part) => part === path || (part !== '/' && path.includes(part)))) continue
      await open(path)
      const name =
        path
          .slice(1)
          .replace(/(ses|usr|app)_[\w-]+/g, '$1')
          .replace(/\W+/g, '-') || 'overview'
      for (const theme of phone ? (['light'] as const) : (['light', 'dark'] as const)) {
        await setTheme(page, theme)
        await page.screenshot({ path: `${folder}/${name}.${phone ? 'phone' : theme}.png`, fullPage: phone })
      }
    }
    await close()
  }
  await server.stop()
})
