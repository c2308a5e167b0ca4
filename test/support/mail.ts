import type { App } from '../../server/app/app.ts'
import type { NewApp } from '../../server/app/settings.ts'
import { queueEmail, type NewEmail } from '../../server/email/queue.ts'
import { findEmail } from '../../server/email/store.ts'
import type { TestServer } from './server.ts'
import { signInWithTelegram, telegramApp } from './signIn.ts'
import { person } from './telegram.ts'

export const branding = {
  appName: 'TON Quest',
  logoUrl: 'https://cdn.example.com/logo.png',
  supportEmail: 'help@quest.example',
  copyright: '© 2026 TON Quest Ltd',
  primaryColor: '#0064bf',
}

/** An app whose settings hold all five marks. */
export const brandedApp = (server: TestServer, more: Partial<NewApp> = {}): Promise<App> =>
  telegramApp(server, {
    branding,
    email: { senderName: 'TON Quest Security', senderAddress: 'no-reply@quest.example' },
    ...more,
  })

/** A user of an app, by row number. */
export async function someUser(server: TestServer, app: App, id = 7): Promise<number> {
  const login = await signInWithTelegram(server, app, person(id))
  return server.runtime.vault.ids.parse('usr', login.body['user'].id)!
}

/** Queues a mail as a flow does; its row's number. */
export function queueMail(
  server: TestServer,
  mail: Partial<NewEmail> & Pick<NewEmail, 'app' | 'kind'>,
): Promise<number> {
  return server.runtime.db.transaction((tx) =>
    queueEmail(server.runtime, tx, {
      userId: null,
      to: 'ada@example.org',
      variables: mail.kind.startsWith('verification') ? { code: '493817' } : {},
      ...(mail.kind.startsWith('verification') && { expiresAt: new Date(server.clock.now.getTime() + 600_000) }),
      ...mail,
    }),
  )
}

export const mailRow = async (server: TestServer, id: number) => (await findEmail(server.runtime.db, id))!
