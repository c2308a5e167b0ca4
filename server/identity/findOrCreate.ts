import type { App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Vault } from '#server/secret/vault.ts'
import type { Profile, Proof } from './proof.ts'
import {
  adoptProfiles,
  findIdentity,
  insertIdentity,
  insertUser,
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
  const key = { appId: app.id, kind: proof.kind, subjectHash: subjectHash(vault, proof.kind, proof.subject) }
  const known = await findIdentity(tx, key)
  if (known) return refresh(vault, tx, known, proof)

  await lockIdentity(tx, key)
  const meanwhile = await findIdentity(tx, key)
  if (meanwhile) return refresh(vault, tx, meanwhile, proof)

  const userId = await insertUser(tx, { appId: app.id, ...sealProfile(vault, proof.profile), createdAt: now })
  const identityId = await bindIdentity(vault, tx, { ...key, userId }, proof, now)
  return { userId, identityId, blockedAt: null, createdAt: now, isNew: true, profile: proof.profile }
}

/** Writes that a proof is this person's from now on; returns the identity's number. Nobody else may have it, and the caller holds its lock. */
export async function bindIdentity(
  vault: Vault,
  tx: Transaction,
  key: { appId: number; kind: Proof['kind']; subjectHash: Buffer; userId: number },
  proof: Proof,
  now: Date,
): Promise<number> {
  const id = await insertIdentity(tx, {
    ...key,
    subjectSealed: vault.seal(proof.subject, 'identities.subject'),
    ...sealDetails(vault, proof),
    publicKey: proof.publicKey ?? null,
    createdAt: now,
  })
  // A handle belongs to its address: whoever comes to own the wallet owns the handle with it.
  if (key.kind === 'ton') await adoptProfiles(tx, { ...key, address: proof.subject })
  return id
}

/** Two who show the same proof for the first time wait for each other here. */
export const lockIdentity = (tx: Transaction, key: { appId: number; kind: Proof['kind']; subjectHash: Buffer }) =>
  tx.lock(`identity ${key.appId} ${key.kind} ${key.subjectHash.toString('base64')}`)

async function refresh(vault: Vault, tx: Transaction, known: FoundIdentity, proof: Proof): Promise<Person> {
  const before = openProfile(vault, known.profileSealed)
  let profile = before
  if (!known.detailsHash?.equals(detailsHash(vault, proof))) {
    await updateIdentity(tx, known.id, {
      ...sealDetails(vault, proof),
      ...(proof.publicKey && { publicKey: proof.publicKey }),
    })
    profile = mergeProfile(before, openDetails(vault, known.detailsSealed).profile, proof.profile)
    if (JSON.stringify(profile) !== JSON.stringify(before))
      await updateUser(tx, known.userId, sealProfile(vault, profile))
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
export function sealProfile(
  vault: Vault,
  profile: Profile,
): { profileSealed: Buffer | null; emailHash: Buffer | null } {
  return {
    profileSealed: Object.keys(profile).length > 0 ? vault.seal(JSON.stringify(profile), 'users.profile') : null,
    emailHash: profile.email ? emailHash(vault, profile.email) : null,
  }
}

export function openProfile(vault: Vault, sealed: Buffer | null): Profile {
  return sealed ? (JSON.parse(vault.open(sealed, 'users.profile')) as Profile) : {}
}

function detailsText(proof: Proof): string {
  return JSON.stringify([proof.profile, proof.details ?? {}, proof.publicKey?.toString('hex')])
}

const detailsHash = (vault: Vault, proof: Proof): Buffer => vault.hash(detailsText(proof), 'identities.details')

function sealDetails(vault: Vault, proof: Proof) {
  const { username } = proof.profile
  return {
    usernameHash: username ? usernameHash(vault, username) : null,
    detailsHash: detailsHash(vault, proof),
    detailsSealed: vault.seal(
      JSON.stringify({ ...proof.details, ...(username && { username }), profile: proof.profile }),
      'identities.details',
    ),
  }
}

/** What an identity's latest proof said: of the person (`profile`), and of itself. */
export function openDetails(
  vault: Vault,
  sealed: Buffer | null,
): { profile: Profile; details: Record<string, string | boolean> } {
  if (!sealed) return { profile: {}, details: {} }
  const { profile, ...details } = JSON.parse(vault.open(sealed, 'identities.details')) as {
    profile?: Profile
  } & Record<string, string | boolean>
  return { profile: profile ?? {}, details }
}
