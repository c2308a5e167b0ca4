import { createRemembered, type Remembered } from '#server/secret/remembered.ts'
import type { PersonalKey } from '#server/secret/vault.ts'

/** Personal keys that were opened, by their tag, and by whose they are, and what was opened with them. In memory only, and bounded. */
export type PersonalKeys = {
  byTag: Remembered<PersonalKey>
  /** Only keys that were read outside a transaction, and so are there for good: what is sealed under a key that was rolled back nobody could ever read. */
  byUser: Remembered<PersonalKey>
  /** What was opened lately, by a name that holds its mark (db/bytes.ts), so that it never stands for another. */
  opened: Remembered<object>
  /** Whether keys were destroyed of which the database's own files may still hold remains (`Database.forget`). */
  remains: boolean
}

/** Profiles and what proofs said of as many people as a busy hour brings: half a kilobyte each. */
const MOST_OPENED = 50_000

export const createPersonalKeys = (): PersonalKeys => ({
  byTag: createRemembered(),
  byUser: createRemembered(),
  opened: createRemembered(MOST_OPENED),
  remains: false,
})
