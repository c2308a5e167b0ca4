import type { Vault } from '#server/secret/vault.ts'
import { NOBODY } from './address.ts'
import { hashAddress } from './queue.ts'
import type { EmailRow } from './store.ts'

/** Whether a mail is for nobody (address.ts), only there for the time it takes, and thrown away instead of sent. */
export const isDecoy = ({ vault }: { vault: Vault }, { toHash }: Pick<EmailRow, 'toHash'>): boolean =>
  toHash.equals(hashAddress(vault, NOBODY))
