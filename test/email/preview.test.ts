import { expect, test } from 'vitest'
import { kinds } from '../../server/email/kinds.ts'
import { brandedApp } from '../support/mail.ts'
import { operatorToken } from '../support/operator.ts'
import { call, startServer } from '../support/server.ts'

test('a preview answers within a tenth of a second, checks included', async () => {
  const server = await startServer()
  const app = await brandedApp(server)
  const token = await operatorToken(server)
  const took: number[] = []
  for (let turn = 0; turn < 40; turn++) {
    const began = performance.now()
    const path = `/api/v1/apps/${app.publicId}/email-templates/${kinds[turn % kinds.length]}/preview`
    expect((await call(server, 'POST', path, { token, body: {} })).body['ok']).toBe(true)
    took.push(performance.now() - began)
  }
  // The first ones warm the engine up.
  const warm = took.slice(5).sort((a, b) => a - b)
  console.log(`preview: median ${warm[17]!.toFixed(1)} ms, slowest ${warm.at(-1)!.toFixed(1)} ms`)
  expect(warm[17]).toBeLessThan(100)
})
