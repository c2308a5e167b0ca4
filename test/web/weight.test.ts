/// <reference lib="dom" />
import { gunzipSync, gzipSync, brotliDecompressSync } from 'node:zlib'
import { request } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { call } from '../support/server.ts'
import { drawn, useBrowser, visit } from './browser.ts'
import { addOperator, populate, signInOperator, startInstallation, type Populated } from './installation.ts'
import { routes } from './routes.ts'

const browser = useBrowser()
let populated: Populated
let cookie: { name: string; value: string }

beforeAll(async () => {
  const server = await startInstallation()
  populated = await populate(server)
  cookie = await signInOperator(server, await addOperator(server, 'owner'))
})
afterAll(() => populated.server.stop())

const MOST_CSS = 15
/** Kilobytes of script, compressed, that come with a page: the list of all sessions is the home of the product. */
const mostJs = (path: string) => (path.startsWith('/sessions') ? 90 : 75)
/** What comes when a page stands or is asked for more: a chart, an editor, a drawer. Nothing that belongs to no page hides here. */
const MOST_LAZY = 25
const MOST_EDITOR = 180

/** A file's weight and the files it cannot run without. */
type Script = { size: number; imports: string[] }

test('no page weighs more than its budget on a first visit', async () => {
  const kept = new Map<string, Promise<Script>>()
  const read = (url: string) => {
    if (!kept.has(url)) kept.set(url, weigh(url))
    return kept.get(url)!
  }
  const weights: Record<string, { js: number; lazy: number; css: number }> = {}
  const { page, close } = await visit(browser(), populated.server, { cookie, patience: 15_000 })
  // Who saves data gets no code ahead of need, so what is loaded is what the page is made of.
  await page.addInitScript(() => Object.defineProperty(navigator, 'connection', { value: { saveData: true } }))
  for (const { path } of routes(populated)) {
    await page.goto(`/console${path}`)
    await drawn(page)
    const loaded = await page.evaluate(() => performance.getEntriesByType('resource').map((entry) => entry.name))
    const scripts = loaded.filter((url) => url.endsWith('.js'))
    const first = new Set<string>()
    const need = async (url: string): Promise<void> => {
      if (first.has(url)) return
      first.add(url)
      for (const other of (await read(url)).imports) await need(other)
    }
    for (const url of scripts) if (/\/(entry|nodes)\//.test(url)) await need(url)
    const sum = async (urls: string[]) => {
      const sizes = await Promise.all(urls.map(async (url) => (await read(url)).size))
      return Math.round(sizes.reduce((total, size) => total + size, 0) * 10) / 10
    }
    weights[path.replace(/(ses|usr|app|evt|eml|whe)_\w+/g, '$1_…')] = {
      js: await sum([...first]),
      lazy: await sum(scripts.filter((url) => !first.has(url))),
      css: await sum(loaded.filter((url) => url.endsWith('.css'))),
    }
  }
  await close()
  if (process.env['SHOW_WEIGHTS']) console.table(weights)
  const tooHeavy = Object.entries(weights).filter(
    ([path, { js, lazy, css }]) => js > mostJs(path) || lazy > MOST_LAZY || css > MOST_CSS,
  )
  expect(tooHeavy).toEqual([])
  expect(weights['/sessions']!.js).toBeGreaterThan(20)
})

async function weigh(url: string): Promise<Script> {
  const text = await (await fetch(url)).text()
  const named = [...text.matchAll(/\b(?:from|import)\s*["'`](\.[^"'`]+\.js)["'`]/g)]
  return {
    size: gzipSync(text, { level: 9 }).length / 1024,
    imports: url.endsWith('.js') ? named.map(([, path]) => new URL(path!, url).href) : [],
  }
}

test('the code editor, the heaviest thing of all, comes by itself and keeps to its own budget', async () => {
  const { page, close } = await visit(browser(), populated.server, { cookie, patience: 15_000 })
  await page.goto('/console/templates/verification_code_reset_signature?locale=de')
  await page.locator('[data-editor="code"]').waitFor()
  const loaded = await page.evaluate(() => performance.getEntriesByType('resource').map((entry) => entry.name))
  const sizes = await Promise.all(
    loaded.filter((url) => url.endsWith('.js')).map(async (url) => (await weigh(url)).size),
  )
  await close()
  const heaviest = Math.max(...sizes)
  expect(heaviest).toBeGreaterThan(100)
  expect(heaviest).toBeLessThan(MOST_EDITOR)
})

test('files are sent as the build compressed them, under the policy and for as long as their names promise', async () => {
  const { server } = populated
  const html = (await call(server, 'GET', '/console/')).body['text'] as string
  const script = /\/console\/_app\/immutable\/[^"]+\.js/.exec(html)![0]
  for (const [path, lasts] of [
    [script, 'public, max-age=31536000, immutable'],
    ['/console/sessions', 'no-cache'],
  ] as const) {
    const plain = await send(server.url, path, {})
    expect(plain.headers).toMatchObject({ 'cache-control': lasts, vary: 'Accept-Encoding' })
    expect(plain.headers['content-encoding']).toBeUndefined()
    for (const [encoding, open] of [
      ['br', brotliDecompressSync],
      ['gzip', gunzipSync],
    ] as const) {
      const packed = await send(server.url, path, { 'accept-encoding': encoding })
      expect(packed.headers).toMatchObject({
        'content-encoding': encoding,
        'content-type': plain.headers['content-type'],
        'cache-control': lasts,
        'content-security-policy': expect.stringContaining("default-src 'none'"),
        'x-content-type-options': 'nosniff',
      })
      expect(open(packed.body).equals(plain.body)).toBe(true)
    }
    const again = await send(server.url, path, { 'if-none-match': plain.headers['etag']! })
    expect([again.status, again.body.length]).toEqual([304, 0])
  }
  for (const missing of ['/_app/immutable/nope.js', '/200.txt', '/..%2f..%2fpackage.json'].map(
    (path) => `/console${path}`,
  ))
    expect([missing, (await send(server.url, missing, {})).status]).toEqual([missing, 404])
  expect((await call(server, 'POST', '/console/sessions', { body: {} })).status).toBe(404)
})

type Sent = { status: number; headers: Record<string, string>; body: Buffer }

/** One GET whose body is left as it came. */
function send(base: string, path: string, headers: Record<string, string>): Promise<Sent> {
  return new Promise((resolve, reject) => {
    request(base + path, { headers }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers as Record<string, string>,
          body: Buffer.concat(parts),
        }),
      )
    })
      .on('error', reject)
      .end()
  })
}
