/// <reference lib="dom" />
import axe, { type AxeResults, type Result, type RunOptions } from 'axe-core'
import type { Page } from 'playwright-core'

declare global {
  var axe: { run(context: Document, options: RunOptions): Promise<AxeResults> } | undefined
}

/** What axe has against the page as it stands. It is read into a page once and not with every run, as axe's own driver does: that took a third of the time. */
export async function violationsOf(page: Page, only: { tags: string[] } | { rules: string[] }): Promise<Result[]> {
  if (!(await page.evaluate(() => globalThis.axe !== undefined))) await page.evaluate(axe.source)
  const options: RunOptions = {
    runOnly: 'tags' in only ? { type: 'tag', values: only.tags } : { type: 'rule', values: only.rules },
    preload: false,
    resultTypes: ['violations'],
  }
  return page.evaluate(async (options) => (await globalThis.axe!.run(document, options)).violations, options)
}
