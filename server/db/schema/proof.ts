import { bytes, id, index, instant, ref, table, text, uniqueIndex } from '../dialect.ts'
import { apps } from './app.ts'

export const nonces = table(
  'nonces',
  {
    id: id(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    /** Random; the nonce is a keyed hash of it, so that the table alone yields none. */
    seed: bytes().notNull(),
    address: text(),
    expiresAt: instant().notNull(),
    usedAt: instant(),
  },
  (nonce) => [index('nonces_expiry').on(nonce.expiresAt)],
)

/** Proofs that may serve once only (`telegram.singleUse`), remembered while they are fresh. */
export const usedProofs = table(
  'used_proofs',
  {
    id: id(),
    appId: ref()
      .notNull()
      .references(() => apps.id, { onDelete: 'cascade' }),
    proofHash: bytes().notNull(),
    expiresAt: instant().notNull(),
  },
  (proof) => [
    uniqueIndex('used_proofs_proof').on(proof.appId, proof.proofHash),
    index('used_proofs_expiry').on(proof.expiresAt),
  ],
)
