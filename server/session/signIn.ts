import type { App } from '#server/app/app.ts'
import { claimNames } from '#server/app/settings.ts'
import type { Transaction } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import { findOrCreate } from '#server/identity/findOrCreate.ts'
import type { Profile, Proof } from '#server/identity/proof.ts'
import type { Runtime } from '#server/runtime.ts'
import { withSecret } from '#server/secret/opaque.ts'
import { issueAccess, recordAccess } from '#server/token/issue.ts'
import { openSession } from './open.ts'
import type { Origin } from '#server/origin/origin.ts'
import { publicSession, wasErased } from './session.ts'
import { tellSignedIn } from './tell.ts'

/** The answer to every way of signing in (contract §3, Login). */
export type Login = {
  accessToken: string
  tokenType: 'Bearer'
  expiresIn: number
  refreshToken: string
  refreshExpiresIn: number
  session: ReturnType<typeof publicSession>
  user: { id: string; isNew: boolean; createdAt: string } & Profile
  evictedSessions: string[]
}

/**
 * The one door: a checked proof becomes a session, in one transaction with everything that makes it single-use (`consume`) and with the
 * eviction that it causes.
 * @throws AppError user_blocked, session_limit_reached, and what `consume` throws
 */
export async function signIn(
  runtime: Runtime,
  input: { app: App; proof: Proof; origin: Origin; consume?: (tx: Transaction, now: Date) => Promise<void> },
): Promise<Login> {
  const { app } = input
  const proof = { ...input.proof, profile: askedFor(app, input.proof.profile) }
  const now = runtime.now()
  const work = async (tx: Transaction) => {
    await input.consume?.(tx, now)
    const person = await findOrCreate(runtime, tx, app, proof, now)
    if (person.blockedAt) throw new AppError('user_blocked', 'This account is blocked')
    const { userId, identityId } = person
    const opened = await openSession(runtime, tx, {
      app,
      userId,
      identityId,
      method: proof.kind,
      origin: input.origin,
      now,
    })
    await tellSignedIn(runtime, tx, app, person, opened.session)
    return { person, opened, opaque: await recordAccess(runtime, tx, app, opened.session, now) }
  }
  const { person, opened, opaque } = await runtime.db.transaction(work).catch((error: unknown) => {
    // The person erased themselves at this very moment: to sign in now is to begin anew.
    if (wasErased(error)) return runtime.db.transaction(work)
    throw error
  })
  const { ids } = runtime.vault
  const { session, refreshSecret, evicted } = opened
  const access = await issueAccess(runtime, app, session, opaque, now)
  return {
    accessToken: access.accessToken,
    tokenType: 'Bearer',
    expiresIn: access.expiresIn,
    refreshToken: withSecret(ids, 'rt', session.id, refreshSecret).token,
    refreshExpiresIn: Math.floor((session.refreshExpiresAt.getTime() - now.getTime()) / 1000),
    session: publicSession(runtime, app, session),
    user: {
      id: ids.seal('usr', person.userId),
      isNew: person.isNew,
      createdAt: person.createdAt.toISOString(),
      ...person.profile,
    },
    evictedSessions: evicted.map((id) => ids.seal('ses', id)),
  }
}

/** Of a profile only what the app asks for: what is not kept cannot be lost. */
function askedFor({ settings: { claims } }: App, profile: Profile): Profile {
  if (claims.length === claimNames.length) return profile
  const asked = new Set<string>(claims.includes('email') ? [...claims, 'emailVerified'] : claims)
  return Object.fromEntries(Object.entries(profile).filter(([claim]) => asked.has(claim)))
}
