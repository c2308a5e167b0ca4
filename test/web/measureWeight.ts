import { gzipSync } from 'node:zlib'
import type { Browser } from 'playwright-core'
import { open, visit, type Visit } from './browser.ts'

export type Weight = { js: number; css: number; files: number }
type Options = Parameters<typeof visit>[1]

/** KB (gzip -9) of script and style that a first visit to this address loads. */
export async function measureWeight(browser: Browser, address: string, options?: Options): Promise<Weight> {
  const { page, close }: Visit = await visit(browser, options)
  const bodies: Promise<['js' | 'css', number]>[] = []
  page.on('response', (response) => {
    const kind = /\.(js|css)(\?|$)/.exec(response.url())?.[1] as 'js' | 'css' | undefined
    if (kind && response.ok())
      bodies.push(response.body().then((body) => [kind, gzipSync(body, { level: 9 }).length / 1024]))
  })
  await open(page, address)
  const sizes = await Promise.all(bodies)
  await close()
  const sum = (kind: string) =>
    Math.round(sizes.filter(([one]) => one === kind).reduce((total, [, size]) => total + size, 0) * 10) / 10
  return { js: sum('js'), css: sum('css'), files: sizes.length }
}
