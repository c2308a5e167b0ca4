import { expect, test } from 'vitest'
import { eq } from 'drizzle-orm'
import { applyApps } from '../../server/declare/apply.ts'
import { apps } from '../../server/db/schema.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { operatorToken } from '../support/operator.ts'
import { call, startServer } from '../support/server.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'

const fault = {
  path: 'sessionPolicy.idleTimeout',
  message: 'must be at most sessionPolicy.absoluteTimeout (3600): no session is idle for longer than it lives',
}

test('an idle timeout beyond the longest lifetime is refused on its field, wherever it is set', async () => {
  const server = await startServer()
  const token = await operatorToken(server)
  const sessionPolicy = { idleTimeout: 3601, absoluteTimeout: 3600 }
  const made = await call(server, 'POST', '/api/v1/apps', { token, body: { name: 'A', sessionPolicy } })
  expect([made.status, made.headers.get('content-type')]).toEqual([400, 'application/problem+json; charset=utf-8'])
  expect(made.body).toMatchObject({ code: 'invalid_request', errors: [fault] })

  const app = await server.createApp({ sessionPolicy: { absoluteTimeout: 3600 } })
  const path = `/api/v1/apps/${app.publicId}`
  const changed = await call(server, 'PATCH', path, { token, body: { sessionPolicy: { idleTimeout: 3601 } } })
  expect([changed.status, changed.body['errors']]).toEqual([400, [fault]])
  const fits = await call(server, 'PATCH', path, { token, body: { sessionPolicy: { idleTimeout: 3600 } } })
  expect(fits.status).toBe(200)

  const file = { apps: [{ name: 'B', slug: 'b', sessionPolicy }] }
  await expect(applyApps(server.runtime, cliActor, file)).rejects.toMatchObject({
    code: 'invalid_request',
    errors: [{ ...fault, path: `apps[0].${fault.path}` }],
  })
})

test('a shorter lifetime takes an idle timeout along that nobody named', async () => {
  const server = await startServer()
  const token = await operatorToken(server)
  const { body } = await call(server, 'POST', '/api/v1/apps', {
    token,
    body: { name: 'A', sessionPolicy: { absoluteTimeout: 60 } },
  })
  expect(body['sessionPolicy']).toMatchObject({ absoluteTimeout: 60, idleTimeout: 60 })
  const file = { apps: [{ name: 'A', slug: 'a', sessionPolicy: { absoluteTimeout: 60 } }] }
  expect(await applyApps(server.runtime, cliActor, file)).toEqual([{ slug: 'a', result: 'unchanged', changed: [] }])
})

test('an app that was stored with such a policy loads, serves and can be changed otherwise', async () => {
  const server = await startServer()
  const token = await operatorToken(server)
  const app = await telegramApp(server)
  const { db } = server.runtime
  const sessionPolicy = { ...app.settings.sessionPolicy, idleTimeout: 7200, absoluteTimeout: 3600 }
  await db.transaction(async (tx) => {
    const settings = JSON.stringify({ ...app.settings, sessionPolicy })
    await tx
      .update(apps)
      .set({ settings, version: app.version + 1 })
      .where(eq(apps.id, app.id))
  })
  expect((await signInWithTelegram(server, app)).status).toBe(200)
  const path = `/api/v1/apps/${app.publicId}`
  expect((await call(server, 'GET', path, { token })).body['sessionPolicy']).toMatchObject({ idleTimeout: 7200 })
  const body = { rewardName: 'Points', sessionPolicy: { maxConcurrentSessions: 2 } }
  expect((await call(server, 'PATCH', path, { token, body })).status).toBe(200)
})
