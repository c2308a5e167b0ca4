import type { App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { recordEvent } from '#server/event/record.ts'
import { recordAudit } from '#server/operator/audit.ts'
import { moveKeys } from '#server/personal/store.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'
import { endUserSessions } from '#server/session/revoke.ts'
import { personActor } from '#server/signature/act.ts'
import { deleteCode, deleteSignature, findSignature, moveSignature } from '#server/signature/store.ts'
import { openProfile, openSubject, sealProfile } from './findOrCreate.ts'
import { moveAll } from './linkStore.ts'
import type { Profile } from './proof.ts'
import { deleteUser, listIdentities, updateUser, type UserRow } from './store.ts'
import { isVouched } from './vouched.ts'

type Joining = { app: App; into: UserRow; from: UserRow; origin: Origin; now: Date }

/**
 * Makes two accounts one, inside the caller's transaction: what hangs on `from` hangs on `into` afterwards, and `from` is no more.
 * - Sessions of `from` end, and stay in the list of past ones: their tokens name a user who is gone.
 * - Of two signatures the one of `into` stays; a single one stays, whosesoever it was. A reset under way is off.
 * - Of two e-mail addresses the one that a login vouches for stays, of two such that of `into`. Other facts of `into` stay, and are completed.
 * - Of two choices about notifications those of `into` stay.
 */
export async function absorbUser(runtime: Runtime, tx: Transaction, joining: Joining): Promise<Profile> {
  const { app, into, from, origin, now } = joining
  const { vault } = runtime
  const endedSessions = await endUserSessions(runtime, tx, from.id, { reason: 'account_linked', at: now })
  const wallets = (await listIdentities(tx, from.id)).filter(({ kind }) => kind === 'ton')
  const moved = await moveAll(tx, from.id, into.id)
  await moveKeys(tx, from.id, into.id)
  const signature = await joinSignatures(tx, into.id, from.id)
  const profile = joinProfiles(
    app,
    await openProfile(runtime, tx, into.profileSealed),
    await openProfile(runtime, tx, from.profileSealed),
  )
  await updateUser(tx, into.id, await sealProfile(runtime, tx, into.id, profile))
  await deleteUser(tx, from.id)
  const userId = vault.ids.seal('usr', into.id)
  for (const { subjectSealed } of wallets) {
    const address = await openSubject(runtime, tx, subjectSealed)
    const content = { userId, address, linkedAt: now.toISOString() }
    await recordEvent(runtime, tx, { app, type: 'wallet.linked', userId: into.id, content })
  }
  await recordAudit(tx, {
    at: now,
    actor: personActor(runtime, into.id, origin),
    action: 'user.link',
    appId: app.id,
    target: { kind: 'user', id: into.id },
    after: { absorbed: vault.ids.seal('usr', from.id), ...moved, endedSessions, signature },
  })
  return profile
}

/** Whose signature the one account has now. */
async function joinSignatures(tx: Transaction, into: number, from: number): Promise<'own' | 'absorbed' | 'none'> {
  await deleteCode(tx, into)
  if ((await findSignature(tx, into))?.secret != null) return 'own'
  if ((await findSignature(tx, from))?.secret == null) return 'none'
  await deleteSignature(tx, into)
  await moveSignature(tx, from, into)
  return 'absorbed'
}

/** `theirs` has an address that was proved just now, by the code that was read there. */
function joinProfiles(app: App, mine: Profile, theirs: Profile): Profile {
  const { email, emailVerified, ...facts } = mine
  const joined = { ...theirs, ...facts, emailVerified: true }
  if (!isVouched(app, mine) || email === theirs.email) return joined
  const { emailVerified: _, ...rest } = joined
  return { ...rest, email, ...(emailVerified !== undefined && { emailVerified }) } as Profile
}
