import type { App } from '#server/app/app.ts'
import { spelled } from '#server/db/bytes.ts'
import type { Reader, Transaction } from '#server/db/database.ts'
import type { Runtime } from '#server/runtime.ts'
import { newKey, openOnce, openPersonal, sealerOf, type Keeper, type Seal } from '#server/personal/seal.ts'
import { sealUnder, type Vault } from '#server/secret/vault.ts'
import { profileOf, rememberProfile } from './profileOf.ts'
import type { Profile, Proof } from './proof.ts'
import {
  adoptProfile,
  findIdentity,
  findSealedDetails,
  insertIdentity,
  insertUser,
  listOwned,
  updateIdentity,
  updateUser,
  type FoundIdentity,
} from './store.ts'

export type Person = {
  userId: number
  identityId: number
  blockedAt: Date | null
  createdAt: Date
  isNew: boolean
  profile: Profile
}

/**
 * The user whom a proof belongs to, made when nobody has shown this proof before. What the login brings of a profile replaces what an
 * earlier one brought, not what the person or another proof put there, and is written only when it differs.
 */
export async function findOrCreate(
  runtime: Runtime,
  tx: Transaction,
  app: App,
  proof: Proof,
  now: Date,
): Promise<Person> {
  const { vault } = runtime
  const key = {
    appId: app.id,
    kind: proof.kind,
    subjectHash: proof.known?.subjectHash ?? subjectHash(vault, proof.kind, proof.subject),
  }
  const known = await findIdentity(tx, key)
  if (known) return refresh(runtime, tx, known, proof)

  await lockIdentity(tx, key)
  const meanwhile = await findIdentity(tx, key)
  if (meanwhile) return refresh(runtime, tx, meanwhile, proof)

  const own = newKey(runtime)
  const seal = (text: string, place: string) => sealUnder(own.key, text, place)
  const row = profileRow(vault, proof.profile, seal)
  const userId = await insertUser(tx, { appId: app.id, ...row, createdAt: now })
  rememberProfile(runtime, userId, row.profileSealed, proof.profile)
  await own.save(tx, userId)
  const identityId = await writeIdentity(runtime, tx, { ...key, userId }, { proof, seal, now })
  return { userId, identityId, blockedAt: null, createdAt: now, isNew: true, profile: proof.profile }
}

/** Writes that a proof is this person's from now on; returns the identity's number. Nobody else may have it, and the caller holds its lock. */
export async function bindIdentity(
  keeper: Keeper,
  tx: Transaction,
  key: IdentityKey & { userId: number },
  proof: Proof,
  now: Date,
): Promise<number> {
  return writeIdentity(keeper, tx, key, { proof, seal: await sealerOf(keeper, tx, key.userId), now })
}

type IdentityKey = { appId: number; kind: Proof['kind']; subjectHash: Buffer }

async function writeIdentity(
  keeper: Keeper,
  tx: Transaction,
  key: IdentityKey & { userId: number },
  { proof, seal, now }: { proof: Proof; seal: Seal; now: Date },
): Promise<number> {
  const row = sealDetails(keeper.vault, proof, seal)
  const id = await insertIdentity(tx, {
    ...key,
    subjectSealed: seal(proof.subject, 'identities.subject'),
    ...row,
    publicKey: proof.publicKey ?? null,
    createdAt: now,
  })
  // A wallet's are asked for when it signs in again. The hash is of what they say: no rolled back transaction makes them untrue.
  if (key.kind === 'ton')
    keeper.personalKeys.opened.add(nameOf(id, spelled(row.detailsHash)), {
      profile: proof.profile,
      details: proof.details ?? {},
    } satisfies Details)
  // A handle belongs to its address: whoever comes to own the wallet owns the handle with it.
  if (key.kind === 'ton')
    for (const { id: handle, dataSealed } of await listOwned(tx, { appId: key.appId, address: proof.subject })) {
      const data = await openPersonal(keeper, tx, dataSealed, 'profiles.data')
      await adoptProfile(tx, handle, { userId: key.userId, dataSealed: seal(data, 'profiles.data') })
    }
  return id
}

/** Two who show the same proof for the first time wait for each other here. */
export const lockIdentity = (tx: Transaction, key: IdentityKey) =>
  tx.lock(`identity ${key.appId} ${key.kind} ${key.subjectHash.toString('base64')}`)

async function refresh(keeper: Keeper, tx: Transaction, known: FoundIdentity, proof: Proof): Promise<Person> {
  const { vault } = keeper
  const before = await profileOf(keeper, tx, known)
  let profile = before
  if (known.detailsHash !== (proof.known?.detailsHash || spelled(detailsHash(vault, proof)))) {
    const { profile: brought } = await openDetails(keeper, tx, await findSealedDetails(tx, known.id))
    await updateIdentity(tx, known.id, {
      ...sealDetails(vault, proof, await sealerOf(keeper, tx, known.userId)),
      ...(proof.publicKey && { publicKey: proof.publicKey }),
    })
    profile = mergeProfile(before, brought, proof.profile)
    if (JSON.stringify(profile) !== JSON.stringify(before)) {
      const row = await sealProfile(keeper, tx, known.userId, profile)
      await updateUser(tx, known.userId, row)
      rememberProfile(keeper, known.userId, row.profileSealed, profile)
    }
  }
  return {
    userId: known.userId,
    identityId: known.id,
    blockedAt: known.blockedAt,
    createdAt: known.createdAt,
    isNew: false,
    profile,
  }
}

/** `now` with each field that still is what the last login brought replaced by what this login brings. */
function mergeProfile(now: Profile, brought: Profile, brings: Profile): Profile {
  const merged: Record<string, unknown> = { ...now }
  const put = (field: keyof Profile, value: string | boolean | undefined) => {
    if (value === undefined) delete merged[field]
    else merged[field] = value
  }
  for (const field of new Set([...Object.keys(brought), ...Object.keys(brings)]) as Set<keyof Profile>)
    if (field !== 'emailVerified' && now[field] === brought[field]) put(field, brings[field])
  // An address and what is known of it change together: a proof of the one before says nothing of the next.
  if (now.email === brought.email || now.email === brings.email) {
    const sameAsBrought = brought.email === now.email && brought.emailVerified === now.emailVerified
    const provedSince = now.email === brings.email && now.emailVerified === true && !sameAsBrought
    put('emailVerified', provedSince || brings.emailVerified)
  }
  return merged
}

/** The key under which an identity is found again. */
export const subjectHash = (vault: Vault, kind: Proof['kind'], subject: string): Buffer =>
  vault.hash(subject, `identities.${kind}`)

export const emailHash = (vault: Vault, email: string): Buffer => vault.hash(email.trim().toLowerCase(), 'users.email')

export const usernameHash = (vault: Vault, username: string): Buffer =>
  vault.hash(username.replace(/^@/, '').toLowerCase(), 'identities.username')

/** A profile as stored: encrypted, with a keyed hash of the e-mail to search by. */
export async function sealProfile(keeper: Keeper, db: Reader, userId: number, profile: Profile) {
  return profileRow(keeper.vault, profile, await sealerOf(keeper, db, userId))
}

function profileRow(
  vault: Vault,
  profile: Profile,
  seal: Seal,
): { profileSealed: Buffer | null; emailHash: Buffer | null } {
  return {
    profileSealed: Object.keys(profile).length > 0 ? seal(JSON.stringify(profile), 'users.profile') : null,
    emailHash: profile.email ? emailHash(vault, profile.email) : null,
  }
}

export async function openProfile(keeper: Keeper, db: Reader, sealed: Buffer | null): Promise<Profile> {
  return sealed ? (JSON.parse(await openPersonal(keeper, db, sealed, 'users.profile')) as Profile) : {}
}

function detailsText(proof: Proof): string {
  return JSON.stringify([proof.profile, proof.details ?? {}, proof.publicKey?.toString('hex')])
}

const detailsHash = (vault: Vault, proof: Proof): Buffer => vault.hash(detailsText(proof), 'identities.details')

function sealDetails(vault: Vault, proof: Proof, seal: Seal) {
  const { username } = proof.profile
  return {
    usernameHash: username ? usernameHash(vault, username) : null,
    detailsHash: detailsHash(vault, proof),
    detailsSealed: seal(
      JSON.stringify({ ...proof.details, ...(username && { username }), profile: proof.profile }),
      'identities.details',
    ),
  }
}

/** What an identity's latest proof said: of the person (`profile`), and of itself. */
type Details = { profile: Profile; details: Record<string, string | boolean> }

/** @throws Error when it cannot be opened (`openPersonal`) */
export async function openDetails(keeper: Keeper, db: Reader, sealed: Buffer | null): Promise<Details> {
  if (!sealed) return { profile: {}, details: {} }
  const text = await openPersonal(keeper, db, sealed, 'identities.details')
  const { profile, ...details } = JSON.parse(text) as { profile?: Profile } & Record<string, string | boolean>
  return { profile: profile ?? {}, details }
}

/** The same of an identity that was looked up; the keyed hash of it tells whether it was opened lately. */
export async function detailsOf(keeper: Keeper, db: Reader, { id, detailsHash }: FoundIdentity) {
  const open = async () => openDetails(keeper, db, await findSealedDetails(db, id))
  return detailsHash ? openOnce(keeper, nameOf(id, detailsHash), open) : open()
}

const nameOf = (identityId: number, hash: string) => `details ${identityId} ${hash}`

/** What an identity was proved to be. */
export const openSubject = (keeper: Keeper, db: Reader, sealed: Buffer): Promise<string> =>
  openPersonal(keeper, db, sealed, 'identities.subject')
