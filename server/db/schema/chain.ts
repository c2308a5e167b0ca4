import { bytes, index, instant, ref, table, text, uniqueIndex } from '../dialect.ts'
import { identities } from './identity.ts'

/** How far a linked wallet is followed on the chain. */
export const watchedWallets = table(
  'watched_wallets',
  {
    identityId: ref()
      .primaryKey()
      .references(() => identities.id, { onDelete: 'cascade' }),
    appId: ref().notNull(),
    /** Logical time from which on it is followed, and the latest that was seen; null until it was looked at first. */
    sinceLt: text(),
    latestLt: text(),
    nextAt: instant().notNull(),
  },
  (wallet) => [index('watched_wallets_next').on(wallet.nextAt)],
)

/** The latest transactions of a followed wallet, so that none is told twice. */
export const seenTransactions = table(
  'seen_transactions',
  {
    identityId: ref()
      .notNull()
      .references(() => identities.id, { onDelete: 'cascade' }),
    hash: bytes().notNull(),
    lt: ref().notNull(),
  },
  (seen) => [uniqueIndex('seen_transactions_key').on(seen.identityId, seen.hash)],
)
