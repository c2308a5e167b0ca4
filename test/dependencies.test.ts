import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

/** The first version without a fault that would reach us, by the advisory that told of it. */
const mended: [name: string, version: string, advisory: string][] = [
  ['drizzle-orm', '0.45.2', 'CVE-2026-39356'],
  ['@trpc/server', '11.8.0', 'CVE-2025-68130'],
  ['@sveltejs/kit', '2.69.1', 'GHSA-866w-xmhq-wj7x'],
  ['devalue', '5.9.3', 'CVE-2026-30226'],
  ['nodemailer', '10.4.1', 'CVE-2026-125755'],
]

const parts = (version: string) => version.split(/[.-]/).map((part) => Number.parseInt(part, 10))

function isAtLeast(version: string, least: string): boolean {
  const [have, need] = [parts(version), parts(least)]
  for (const [at, part] of need.entries()) if (have[at] !== part) return have[at]! > part
  return true
}

type Lock = { packages: Record<string, { version?: string; dev?: boolean }> }
const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as Lock

test.each(mended)('every copy of %s that serves is %s or newer (%s)', (name, least) => {
  const copies = Object.entries(lock.packages).filter(
    ([path, { dev }]) => path.endsWith(`node_modules/${name}`) && (!dev || path === `node_modules/${name}`),
  )
  expect(copies.length).toBeGreaterThan(0)
  for (const [path, { version }] of copies) expect([path, isAtLeast(version!, least)]).toEqual([path, true])
})
