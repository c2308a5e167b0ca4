import type { Transaction } from '#server/db/database.ts'
import type { Vault } from '#server/secret/vault.ts'
import { NOBODY } from './address.ts'
import { hashAddress } from './queue.ts'
import { deleteLeased, type EmailRow } from './store.ts'

/** Whether a mail is for nobody (address.ts), only there for the time it takes, and thrown away instead of sent. */
export const isDecoy = ({ vault }: { vault: Vault }, { toHash }: Pick<EmailRow, 'toHash'>): boolean =>
  toHash.equals(hashAddress(vault, NOBODY))

/** Throws one away that is ours; false when it is not ours any more. */
export const discard = (tx: Transaction, row: EmailRow): Promise<boolean> => deleteLeased(tx, row)
