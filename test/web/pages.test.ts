import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { audit } from './audit.ts'
import { useBrowser, visit, type Visit } from './browser.ts'
import { addOperator, populate, signInOperator, startInstallation, type Populated } from './installation.ts'
import { routes } from './routes.ts'
import { states } from './states.ts'

const browser = useBrowser()
let populated: Populated
let cookie: { name: string; value: string }

beforeAll(async () => {
  const server = await startInstallation()
  populated = await populate(server)
  cookie = await signInOperator(server, await addOperator(server, 'owner', 'Ada Byron'))
  await addOperator(server, 'viewer')
})
afterAll(() => populated.server.stop())

const windows = [
  { name: 'on a desk', phone: false, widths: [1440] },
  { name: 'on a phone', phone: true, widths: [390, 320] },
]

describe.each(windows)('$name', ({ phone, widths }) => {
  let window: Visit
  beforeAll(async () => {
    window = await visit(browser(), populated.server, { cookie, phone })
  })
  afterAll(() => window.close())

  test('every page is accessible, has its title, fits its window and breaks no policy', async () => {
    const found: Record<string, string[]> = {}
    for (const { path, title } of routes(populated)) {
      await window.open(path)
      const faults = await audit(window.page, widths)
      const named = await window.page.title()
      if (named !== `${title} · Gatehouse`) faults.push(`title is ${named}`)
      faults.push(...window.complaints.splice(0))
      if (faults.length > 0) found[path] = faults
    }
    expect(found).toEqual({})
  }, 300_000)

  test('so is what lies between two clicks: palette, dialogs, selections, refusals', async () => {
    const found: Record<string, string[]> = {}
    for (const { name, path, enter, only } of states) {
      if (only && only !== (phone ? 'narrow' : 'wide')) continue
      const { page } = window
      await window.open(path)
      let faults: string[]
      try {
        await enter(page)
        faults = await audit(page, [widths.at(-1)!])
      } catch (error) {
        faults = [String(error)]
      }
      faults.push(...window.complaints.splice(0))
      if (faults.length > 0) found[name] = faults
    }
    expect(found).toEqual({})
  }, 300_000)
})
