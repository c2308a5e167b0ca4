import { call, type Answer, type TestServer } from './server.ts'
import { alice, botToken, initData, type TelegramPerson } from './telegram.ts'
import type { App } from '../../server/app/app.ts'
import type { NewApp } from '../../server/app/settings.ts'

/** An app whose bot is the tests' bot. */
export function telegramApp(server: TestServer, input: Partial<NewApp> = {}): Promise<App> {
  return server.createApp({ ...input, telegram: { botToken, ...input.telegram } })
}

/** Signs a person in through the public API, as a Mini App does. */
export function signInWithTelegram(
  server: TestServer,
  app: App,
  user: TelegramPerson = alice,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return call(server, 'POST', `/v1/apps/${app.slug}/telegram/login`, {
    body: { initData: initData(user, server.clock.now) },
    headers,
  })
}

export const checkSession = (server: TestServer, token: string): Promise<Answer> =>
  call(server, 'GET', '/v1/session', { token })
