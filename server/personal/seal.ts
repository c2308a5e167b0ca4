import type { Reader, Transaction } from '#server/db/database.ts'
import type { Runtime } from '#server/runtime.ts'
import { keyTag, openUnder, sealUnder, type PersonalKey } from '#server/secret/vault.ts'
import { findKey, findKeyOf, insertKey, type KeyRow } from './store.ts'

export type Keeper = Pick<Runtime, 'vault' | 'personalKeys' | 'db'>

/** A key for somebody new, to seal what is known of them before they have a number; `save` keeps it with them. */
export function newKey({ vault }: Pick<Runtime, 'vault'>) {
  const { key, sealed } = vault.makeKey()
  return { key, save: (tx: Transaction, userId: number) => insertKey(tx, { tag: key.tag, userId, sealed }) }
}

export type Seal = (text: string, place: string) => Buffer

/**
 * What seals a person's data: their own key. What belongs to nobody we know, or to somebody from before there were such keys who has none yet
 * (`keyOldUsers`), is sealed under the secret key.
 */
export async function sealerOf(keeper: Keeper, db: Reader, userId: number | null): Promise<Seal> {
  const key = userId === null ? undefined : await keyOf(keeper, db, userId)
  return key ? (text, place) => sealUnder(key, text, place) : keeper.vault.seal
}

/** Seals one text as `sealerOf` does. */
export async function sealFor(
  keeper: Keeper,
  db: Reader,
  userId: number | null,
  text: string,
  place: string,
): Promise<Buffer> {
  const seal = await sealerOf(keeper, db, userId)
  return seal(text, place)
}

/** @throws Error when the person's key was destroyed, or key, place or bytes do not fit */
export async function openPersonal(keeper: Keeper, db: Reader, sealed: Buffer, place: string): Promise<string> {
  const tag = keyTag(sealed)
  if (!tag) return keeper.vault.open(sealed, place)
  const known = keeper.personalKeys.byTag.get(nameOf(tag))
  if (known) return openUnder(known, sealed, place)
  const row = await findKey(db, tag)
  if (!row) throw new KeyDestroyed(place)
  return openUnder(remember(keeper, db, row), sealed, place)
}

/** The same for a value that was read together with its key, so that nothing else has to be read. */
export async function openWithKey(
  keeper: Keeper,
  db: Reader,
  { sealed, key }: { sealed: Buffer; key: Buffer | null },
  place: string,
): Promise<string> {
  const tag = keyTag(sealed)
  if (tag && key && !keeper.personalKeys.byTag.get(nameOf(tag)))
    keeper.personalKeys.byTag.add(nameOf(tag), keeper.vault.openKey(tag, key))
  return openPersonal(keeper, db, sealed, place)
}

/** What `open` gives, unless the very same was opened lately. It is shared, so nobody may change it. */
export async function openOnce<T extends object>(keeper: Keeper, name: string, open: () => Promise<T>): Promise<T> {
  const { opened } = keeper.personalKeys
  const known = opened.get(name) as T | undefined
  if (known) return known
  const value = await open()
  opened.add(name, value)
  return value
}

/** Whoever it was about was erased: nobody can read it any more. */
export class KeyDestroyed extends Error {
  constructor(place: string) {
    super(`The key of what is sealed in ${place} was destroyed with the person it belonged to`)
  }
}

async function keyOf(keeper: Keeper, db: Reader, userId: number): Promise<PersonalKey | undefined> {
  const known = keeper.personalKeys.byUser.get(String(userId))
  if (known) return known
  const row = await findKeyOf(db, userId)
  return row && remember(keeper, db, row)
}

function remember(keeper: Keeper, db: Reader, row: KeyRow): PersonalKey {
  const { byTag, byUser } = keeper.personalKeys
  const key = byTag.get(nameOf(row.tag)) ?? keeper.vault.openKey(row.tag, row.sealed)
  byTag.add(nameOf(row.tag), key)
  if (db === keeper.db) byUser.add(String(row.userId), key)
  return key
}

/** Forgets the keys in memory and what was opened with them, when somebody's rows are gone. Those of others are read again as they are needed. */
export function forgetKeys({ personalKeys }: Keeper): void {
  personalKeys.byTag.clear()
  personalKeys.byUser.clear()
  personalKeys.opened.clear()
  personalKeys.remains = true
}

const nameOf = (tag: Buffer) => tag.toString('latin1')
