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

/** Opens each page and answers what is wrong with it. */
async function auditAll(window: Visit, paths: { path: string; title?: string; narrow?: string }[], widths: number[]) {
  const found: Record<string, string[]> = {}
  for (const { path, title: wide, narrow } of paths) {
    const title = (widths[0]! < 1024 && narrow) || wide
    await window.open(path)
    const faults = await audit(window.page, widths)
    const named = await window.page.title()
    if (title && named !== `${title} · Gatehouse`) faults.push(`title is ${named}`)
    faults.push(...window.complaints.splice(0))
    if (faults.length > 0) found[path] = faults
  }
  return found
}

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
    expect(await auditAll(window, routes(populated), widths)).toEqual({})
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

test('a viewer sees pages that are whole', async () => {
  const { server, ids, events } = populated
  const window = await visit(browser(), server, { cookie: await signInOperator(server, 'viewer@example.com') })
  const paths = [`/sessions/${ids.session}`, `/users/${ids.user}`, `/apps/${ids.app}?tab=policy`, '/operators']
  paths.push(`/apps/${ids.app}?tab=webhooks&endpoint=${events.paused}`, `/apps/${ids.app}?tab=events&type=kyc.success`)
  expect(await auditAll(window, [...paths.map((path) => ({ path }))], [1440])).toEqual({})
  await window.close()
}, 120_000)
