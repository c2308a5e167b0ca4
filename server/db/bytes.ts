import { sql, type Column } from 'drizzle-orm'
import { dialect } from './dialect.ts'

/**
 * A short text that differs each time a value is sealed: what holds its random nonce (secret/vault.ts). What was opened before is found by it, for
 * a fourth of what reading the whole value costs. Empty or null where there is no value.
 */
export const markOf = (sealed: Column) =>
  dialect === 'sqlite'
    ? sql<string | null>`hex(substr(${sealed}, 2, 20))`
    : sql<string | null>`encode(substring(${sealed} from 2 for 20), 'hex')`

/** The mark of a value that is at hand, as `markOf` spells it. */
export const markIn = (sealed: Buffer): string => spelled(sealed.subarray(1, 21))

/** Bytes at hand as the engine spells them in hexadecimal. */
export const spelled = (bytes: Buffer): string =>
  dialect === 'sqlite' ? bytes.toString('hex').toUpperCase() : bytes.toString('hex')

/** Bytes as hexadecimal text, which the driver hands over at a fourth of the price. For null it is empty on one engine and null on the other. */
export const hexOf = (bytes: Column) =>
  dialect === 'sqlite' ? sql<string>`hex(${bytes})` : sql<string>`encode(${bytes}, 'hex')`
