import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { audit } from './audit.ts'
import { visit, type Visit } from './browser.ts'
import { addOperator, populate, signInOperator, startInstallation, type Populated } from './installation.ts'
import { routes } from './routes.ts'
import { states } from './states.ts'

/** Every page and what lies between two clicks, in one kind of window. Each kind is a test file of its own, so that two cores share them. */
export function testPages(
  browser: () => Browser,
  { phone, widths }: { phone: boolean; widths: number[] },
): () => Populated {
  let populated: Populated
  let window: Visit
  beforeAll(async () => {
    const server = await startInstallation()
    populated = await populate(server)
    const cookie = await signInOperator(server, await addOperator(server, 'owner', 'Ada Byron'))
    await addOperator(server, 'viewer')
    window = await visit(browser(), server, { cookie, phone })
  })
  afterAll(async () => {
    await window.close()
    await populated.server.stop()
  })

  test('every page is accessible, has its title, fits its window and breaks no policy', async () => {
    // On a desk each is opened by its address, on a phone by a link from the one before.
    expect(await auditAll(window, routes(populated), widths, phone ? 'link' : 'address')).toEqual({})
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
  return () => populated
}

/** Opens each page and answers what is wrong with it. */
export async function auditAll(
  window: Visit,
  paths: { path: string; title?: string; narrow?: string }[],
  widths: number[],
  by: 'address' | 'link' = 'address',
) {
  const found: Record<string, string[]> = {}
  for (const [place, { path, title: wide, narrow }] of paths.entries()) {
    const title = (widths[0]! < 1024 && narrow) || wide
    await (by === 'link' && place > 0 ? window.follow(path) : window.open(path))
    const faults = await audit(window.page, widths)
    const named = await window.page.title()
    if (title && named !== `${title} · Gatehouse`) faults.push(`title is ${named}`)
    faults.push(...window.complaints.splice(0))
    if (faults.length > 0) found[path] = faults
  }
  return found
}
