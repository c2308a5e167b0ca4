import { sql, type Column } from 'drizzle-orm'
import { dialect } from './dialect.ts'

/**
 * A short text that differs each time a value is sealed: its random nonce (secret/vault.ts). What was opened before is compared by it, for a fourth
 * of what reading the whole value costs. Empty or null where there is no value.
 */
export const markOf = (sealed: Column) =>
  dialect === 'sqlite'
    ? sql<string | null>`hex(substr(${sealed}, 2, 12))`
    : sql<string | null>`encode(substring(${sealed} from 2 for 12), 'hex')`

/** Bytes as hexadecimal text, which the driver hands over at a fourth of the price. */
export const hexOf = (bytes: Column) =>
  dialect === 'sqlite' ? sql<string>`hex(${bytes})` : sql<string>`encode(${bytes}, 'hex')`
