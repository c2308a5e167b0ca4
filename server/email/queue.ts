import type { App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { sealerOf, sealFor, type Seal } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Vault } from '#server/secret/vault.ts'
import { NOBODY, parseAddress } from './address.ts'
import { countMail } from './count.ts'
import { carriesCode, localeOf, type MailFacts, type MailKind } from './kinds.ts'
import { insertEmail } from './store.ts'

export type NewEmail = {
  app: App
  /** Null for somebody who has no account. A mail to nobody is sealed as if it were this person's, and does not belong to them. */
  userId: number | null
  kind: MailKind
  /** The person's address. What is no address makes a row that failed, never an error: a mail must not undo what it tells of. */
  to: string
  /** A BCP 47 tag; otherwise the app's language. */
  locale?: string | undefined
  variables: MailFacts
  /** When the code is over; the mail is not sent after it. Needed by mails that carry a code. */
  expiresAt?: Date | undefined
}

/**
 * Writes a mail into the outbox, inside the transaction of what it tells of. It is rendered and sent after the commit.
 * @returns the row's number
 */
export async function queueEmail(runtime: Runtime, tx: Transaction, mail: NewEmail): Promise<number> {
  const { app, kind, variables, expiresAt } = mail
  if (carriesCode(kind) && (!variables.code || !expiresAt)) throw new Error(`A mail ${kind} needs a code and its end`)
  const now = runtime.now()
  const address = parseAddress(mail.to)
  const id = await insertEmail(tx, {
    appId: app.id,
    userId: mail.to === NOBODY ? null : mail.userId,
    kind,
    locale: localeOf(mail.locale, app.settings.email.locale),
    ...addressee(runtime, address ?? mail.to, await sealerOf(runtime, tx, mail.userId)),
    variablesSealed: await sealFor(runtime, tx, mail.userId, JSON.stringify(variables), 'emails.variables'),
    createdAt: now,
    expiresAt: expiresAt ?? null,
    ...(address
      ? { status: 'queued', nextAt: now }
      : { status: 'failed', reason: 'address_invalid', detail: 'This is not a mail address', finishedAt: now }),
  })
  if (!address) countMail(runtime, app.id, 'failed')
  return id
}

/** An address as it is kept: searched by its hash, read only under the key. */
export const addressee = ({ vault }: Pick<Runtime, 'vault'>, address: string, seal: Seal) => ({
  toHash: hashAddress(vault, address),
  toSealed: seal(address, 'emails.to'),
})

/** What a mailbox is found by, however its address is written. */
export const hashAddress = (vault: Vault, address: string): Buffer =>
  vault.hash((parseAddress(address) ?? address).toLowerCase(), 'emails.to')
