import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')

const rows = read('../docs/security-incidents.md')
  .split('\n')
  .filter((line) => /^\| +\d+ /.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))

test('all 75 incidents have a row, in order', () => {
  expect(rows.map(([, number]) => Number(number))).toEqual(Array.from({ length: 75 }, (_, at) => at + 1))
})

test.each(rows)('%sincident %i (%s) is held by a test that is there', (...row) => {
  const tests = row[4]!.split('<br>').map((cell) => /^`([^`]+)` (.+)$/.exec(cell)!.slice(1) as [string, string])
  expect(tests.length).toBeGreaterThan(0)
  for (const [file, name] of tests) {
    expect(existsSync(new URL(file, import.meta.url)), file).toBe(true)
    expect(read(file)).toContain(name)
  }
})
