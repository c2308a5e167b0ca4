import { lte } from 'drizzle-orm'
import type { Transaction } from '#server/db/database.ts'
import { usedProofs } from '#server/db/schema.ts'

/** Remembers a proof that may serve once; false when it was remembered already. */
export async function insertUsedProof(
  tx: Transaction,
  proof: { appId: number; proofHash: Buffer; expiresAt: Date },
): Promise<boolean> {
  const rows = await tx.insert(usedProofs).values(proof).onConflictDoNothing().returning({ id: usedProofs.id })
  return rows.length > 0
}

/** Forgets proofs that are too old to pass anyway; returns how many. */
export async function deleteExpiredProofs(tx: Transaction, before: Date): Promise<number> {
  const rows = await tx.delete(usedProofs).where(lte(usedProofs.expiresAt, before)).returning({ id: usedProofs.id })
  return rows.length
}
