import type { App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import { deviceNumber, deviceOf } from '#server/origin/device.ts'
import type { Origin } from '#server/origin/origin.ts'
import type { Runtime } from '#server/runtime.ts'
import { hashSecret } from '#server/secret/opaque.ts'
import { freshBytes } from '#server/secret/random.ts'
import { timedOut, type SessionRow, type SignInMethod } from './session.ts'
import { endSession, insertSession, listSeated } from './store.ts'
import { tellEnded, type Ending } from './tell.ts'

export type Opened = {
  session: SessionRow
  /** The secret half of the refresh token; only its hash is stored. */
  refreshSecret: Buffer
  evicted: number[]
}

/**
 * Opens a session and ends the oldest idle ones beyond the app's limit, as one step of the caller's transaction: two logins at once can
 * never leave more than the limit alive, because they wait for each other and because no two live sessions may hold the same seat.
 * @throws AppError session_limit_reached for an app whose policy is `reject`
 */
export async function openSession(
  runtime: Runtime,
  tx: Transaction,
  input: { app: App; userId: number; identityId: number; method: SignInMethod; origin: Origin; now: Date },
): Promise<Opened> {
  const { app, now } = input
  const policy = app.settings.sessionPolicy
  await tx.lock(`sessions of user ${input.userId}`)

  const end = async (session: Awaited<ReturnType<typeof listSeated>>[number], ending: Ending) => {
    await runtime.activity.writeUse(tx, session)
    await endSession(tx, session.id, ending)
    await tellEnded(runtime, tx, app, session, ending)
  }
  const living = []
  for (const session of await listSeated(tx, input.userId)) {
    const over = timedOut(runtime, session, policy.idleTimeout, now)
    if (over) await end(session, over)
    else living.push(session)
  }

  const surplus = living.length - policy.maxConcurrentSessions + 1
  if (surplus > 0 && policy.limitPolicy === 'reject') {
    throw new AppError(
      'session_limit_reached',
      policy.maxConcurrentSessions === 1
        ? 'One session at a time is allowed; sign out elsewhere first'
        : `At most ${policy.maxConcurrentSessions} sessions at once are allowed; sign out elsewhere first`,
    )
  }
  // Oldest activity first; of equals the one created first.
  living.sort((a, b) => lastActive(runtime, a).getTime() - lastActive(runtime, b).getTime() || a.id - b.id)
  const evicted = living.splice(0, Math.max(0, surplus))
  for (const session of evicted) await end(session, { reason: 'limit_exceeded', at: now })

  const refreshSecret = freshBytes(32)
  const row = {
    appId: app.id,
    userId: input.userId,
    identityId: input.identityId,
    seat: freeSeat(living),
    method: input.method,
    ip: input.origin.ip,
    userAgent: input.origin.userAgent?.slice(0, 512) ?? null,
    device: deviceNumber(deviceOf(input.origin.userAgent)),
    country: runtime.geo.countryOf(input.origin),
    createdAt: now,
    expiresAt: after(now, policy.absoluteTimeout),
    refreshHash: hashSecret(refreshSecret),
    refreshExpiresAt: after(now, Math.min(policy.refreshTokenTtl, policy.absoluteTimeout)),
  }
  const id = await insertSession(tx, row)
  const session: SessionRow = {
    ...row,
    id,
    lastActiveAt: now,
    activeSlot: 0,
    endedAt: null,
    endReason: null,
    endedBy: null,
    refreshGeneration: 0,
    refreshedAt: null,
    refreshSuccessorSealed: null,
  }
  return { session, refreshSecret, evicted: evicted.map((session) => session.id) }
}

function freeSeat(living: { seat: number }[]): number {
  const taken = new Set(living.map((session) => session.seat))
  let seat = 0
  while (taken.has(seat)) seat++
  return seat
}

const lastActive = (runtime: Runtime, session: { id: number; lastActiveAt: Date }) =>
  new Date(runtime.activity.lastActiveAt(session))

export const after = (now: Date, seconds: number) => new Date(now.getTime() + seconds * 1000)
