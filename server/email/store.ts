import { eq } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { emails } from '#server/db/schema.ts'

export type EmailRow = typeof emails.$inferSelect

/** @returns the new row's number */
export async function insertEmail(tx: Transaction, mail: typeof emails.$inferInsert): Promise<number> {
  const [row] = await tx.insert(emails).values(mail).returning({ id: emails.id })
  return row!.id
}

export async function findEmail(db: Reader, id: number): Promise<EmailRow | undefined> {
  const [row] = await db.select().from(emails).where(eq(emails.id, id))
  return row
}
