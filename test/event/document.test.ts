import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { documentEvents } from '../../server/event/document.ts'

const file = new URL('../../docs/events.md', import.meta.url)

test('docs/events.md says what the catalogue says', () => {
  // UPDATE=1 writes it anew.
  if (process.env['UPDATE']) writeFileSync(file, documentEvents())
  expect(readFileSync(file, 'utf8')).toBe(documentEvents())
})
