import { createRemembered, type Remembered } from '#server/secret/remembered.ts'
import type { PersonalKey } from '#server/secret/vault.ts'

/** Personal keys that were opened, by their tag, and by whose they are. In memory only, and bounded. */
export type PersonalKeys = {
  byTag: Remembered<PersonalKey>
  /** Only keys that were read outside a transaction, and so are there for good: what is sealed under a key that was rolled back nobody could ever read. */
  byUser: Remembered<PersonalKey>
  /** Whether keys were destroyed of which the database's own files may still hold remains (`Database.forget`). */
  remains: boolean
}

export const createPersonalKeys = (): PersonalKeys => ({
  byTag: createRemembered(),
  byUser: createRemembered(),
  remains: false,
})
