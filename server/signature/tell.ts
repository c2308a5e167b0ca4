import type { App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { queueEmail, type NewEmail } from '#server/email/queue.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'
import type { Contact } from './contact.ts'

type Told = { app: App; userId: number; to: Contact | undefined; origin: Origin }

/** Owes a person a mail about their signature, with where the call came from, so that a stranger's is recognised; nothing for somebody without an address. */
export async function tellByMail(
  runtime: Runtime,
  tx: Transaction,
  kind: NewEmail['kind'],
  { app, userId, to, origin }: Told,
  code?: { code: string; expiresAt: Date },
): Promise<void> {
  if (!to) return
  const { email, locale, name: userName } = to
  const variables = { userName, ip: origin.ip, device: origin.userAgent?.slice(0, 200), code: code?.code }
  await queueEmail(runtime, tx, { app, userId, kind, to: email, locale, variables, expiresAt: code?.expiresAt })
}
