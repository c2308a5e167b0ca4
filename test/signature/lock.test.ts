import { expect, test } from 'vitest'
import { call, startServer } from '../support/server.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'
import { pin, signatureCalls } from '../support/signature.ts'

test('neither a refreshed token nor another sign-in opens a lock, and a lock signs nobody out', async () => {
  const server = await startServer()
  const app = await telegramApp(server, { sessionPolicy: { maxConcurrentSessions: 2 } })
  const { body } = await signInWithTelegram(server, app)
  const token = body['accessToken'] as string
  const first = signatureCalls(server, token)
  await first.set({ signature: pin })
  for (let attempt = 0; attempt < 5; attempt++) await first.verify({ signature: '0000' })
  const locked = await first.verify({ signature: pin })
  expect([locked.status, locked.body['code'], Number(locked.headers.get('retry-after')) > 0]).toEqual([
    423,
    'locked',
    true,
  ])

  const refreshed = await call(server, 'POST', '/v1/token/refresh', { body: { refreshToken: body['refreshToken'] } })
  expect(
    (await signatureCalls(server, refreshed.body['accessToken'] as string).verify({ signature: pin })).status,
  ).toBe(423)
  const second = await signInWithTelegram(server, app)
  expect((await signatureCalls(server, second.body['accessToken'] as string).verify({ signature: pin })).status).toBe(
    423,
  )
  expect((await call(server, 'GET', '/v1/session', { token })).status).toBe(200)
})
