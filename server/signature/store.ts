import { eq, lte } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { signatureCodes, signatures } from '#server/db/schema.ts'
import { param, statement } from '#server/db/statement.ts'

export type SignatureRow = typeof signatures.$inferSelect
export type SignatureCodeRow = typeof signatureCodes.$inferSelect

const ofUser = statement('signature_of_user', (db) =>
  db
    .select()
    .from(signatures)
    .where(eq(signatures.userId, param(signatures.userId, 'userId'))),
)

export async function findSignature(db: Reader, userId: number): Promise<SignatureRow | undefined> {
  const [row] = await ofUser(db, { userId })
  return row
}

/** Changes a person's row, which is made when there is none. */
export async function saveSignature(
  tx: Transaction,
  userId: number,
  change: Partial<Omit<SignatureRow, 'id' | 'userId'>>,
): Promise<void> {
  await tx
    .insert(signatures)
    .values({ userId, ...change })
    .onConflictDoUpdate({ target: signatures.userId, set: change })
}

export async function deleteSignature(tx: Transaction, userId: number): Promise<void> {
  await tx.delete(signatures).where(eq(signatures.userId, userId))
}

/** Gives a signature to another person, who must have none. */
export async function moveSignature(tx: Transaction, from: number, to: number): Promise<void> {
  await tx.update(signatures).set({ userId: to }).where(eq(signatures.userId, from))
}

export async function findCode(db: Reader, userId: number): Promise<SignatureCodeRow | undefined> {
  const [row] = await db.select().from(signatureCodes).where(eq(signatureCodes.userId, userId))
  return row
}

/** Keeps a code in the place of the person's one before. */
export async function saveCode(tx: Transaction, code: Omit<SignatureCodeRow, 'id'>): Promise<void> {
  await tx.insert(signatureCodes).values(code).onConflictDoUpdate({ target: signatureCodes.userId, set: code })
}

export async function countTry(tx: Transaction, userId: number, tries: number): Promise<void> {
  await tx.update(signatureCodes).set({ tries }).where(eq(signatureCodes.userId, userId))
}

export async function deleteCode(tx: Transaction, userId: number): Promise<void> {
  await tx.delete(signatureCodes).where(eq(signatureCodes.userId, userId))
}

export async function deleteExpiredCodes(tx: Transaction, now: Date): Promise<number> {
  const rows = await tx
    .delete(signatureCodes)
    .where(lte(signatureCodes.expiresAt, now))
    .returning({ id: signatureCodes.id })
  return rows.length
}
