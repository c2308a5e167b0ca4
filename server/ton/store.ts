import { and, eq, gt, isNull, lte, sql } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { nonces } from '#server/db/schema.ts'
import { hexOf } from '#server/db/bytes.ts'
import { changeStatement, insertStatement, param, statement } from '#server/db/statement.ts'

const insertion = insertStatement('nonce_insert', nonces.id, (db) =>
  db.insert(nonces).values({
    appId: sql.placeholder('appId'),
    seed: sql.placeholder('seed'),
    address: sql.placeholder('address'),
    expiresAt: sql.placeholder('expiresAt'),
  }),
)

export async function insertNonce(
  tx: Transaction,
  nonce: { appId: number; seed: Buffer; address: string | null; expiresAt: Date },
): Promise<number> {
  return insertion(tx, nonce)
}

const lookup = statement('nonce_lookup', (db) =>
  db
    .select({
      id: nonces.id,
      appId: nonces.appId,
      seed: hexOf(nonces.seed),
      address: nonces.address,
      expiresAt: nonces.expiresAt,
      usedAt: nonces.usedAt,
    })
    .from(nonces)
    .where(eq(nonces.id, param(nonces.id, 'id'))),
)

export async function findNonce(
  db: Reader,
  id: number,
): Promise<Awaited<ReturnType<typeof lookup>>[number] | undefined> {
  const [row] = await lookup(db, { id })
  return row
}

const consumption = changeStatement('nonce_consume', (db) =>
  db
    .update(nonces)
    .set({ usedAt: sql.placeholder('now') as unknown as Date })
    .where(
      and(
        eq(nonces.id, param(nonces.id, 'id')),
        isNull(nonces.usedAt),
        gt(nonces.expiresAt, param(nonces.expiresAt, 'now')),
      ),
    ),
)

/** Uses a nonce once; false when it was used or has expired. */
export async function consumeNonce(tx: Transaction, id: number, now: Date): Promise<boolean> {
  return (await consumption(tx, { id, now })) > 0
}

export async function deleteExpiredNonces(tx: Transaction, before: Date): Promise<number> {
  const rows = await tx.delete(nonces).where(lte(nonces.expiresAt, before)).returning({ id: nonces.id })
  return rows.length
}
