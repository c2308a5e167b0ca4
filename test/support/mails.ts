import { asc } from 'drizzle-orm'
import { emails } from '../../server/db/schema.ts'
import { NOBODY } from '../../server/email/address.ts'
import type { MailFacts } from '../../server/email/kinds.ts'
import { openPersonal } from '../../server/personal/seal.ts'
import type { TestServer } from './server.ts'

/** Every mail that is owed or sent to somebody, oldest first, opened. */
export async function mailsOf(server: TestServer) {
  const { db } = server.runtime
  const rows = await db.select().from(emails).orderBy(asc(emails.id))
  const open = async (row: (typeof rows)[number]) => {
    const { code, ...facts } = JSON.parse(
      await openPersonal(server.runtime, db, row.variablesSealed!, 'emails.variables'),
    ) as MailFacts
    const { kind, userId, locale, status, expiresAt } = row
    return {
      kind,
      to: await openPersonal(server.runtime, db, row.toSealed, 'emails.to'),
      code,
      facts,
      userId,
      locale,
      status,
      expiresAt,
    }
  }
  return (await Promise.all(rows.map(open))).filter(({ to }) => to !== NOBODY)
}

/** Kinds and addresses of all mails, oldest first. */
export const sentMails = async (server: TestServer) => (await mailsOf(server)).map(({ kind, to }) => `${kind} ${to}`)

/** The code of the newest mail to an address. */
export async function codeTo(server: TestServer, to: string): Promise<string> {
  const mail = (await mailsOf(server)).findLast((mail) => mail.to === to && mail.code !== undefined)
  if (!mail?.code) throw new Error(`No code was mailed to ${to}`)
  return mail.code
}

/** Another code than this one. */
export const otherThan = (code: string, by = 1): string => String((Number(code) + by) % 1_000_000).padStart(6, '0')
