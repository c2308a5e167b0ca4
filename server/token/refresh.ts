import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import type { App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { hashSecret, readOpaque, withSecret } from '#server/secret/opaque.ts'
import { after } from '#server/session/open.ts'
import { wasErased, type SessionRow } from '#server/session/session.ts'
import { endSession, findSessionRow, insertEvent } from '#server/session/store.ts'
import { tellEnded } from '#server/session/tell.ts'
import { issueAccess, recordAccess, type AccessToken } from './issue.ts'
import { setRefresh } from './store.ts'
import { liveSession } from './verifyAccess.ts'

/** Within this time after a rotation the old token answers with the same successor, for clients that refresh twice at once. */
const GRACE_S = 30

export type Refreshed = AccessToken & { refreshToken?: string; app: App; session: SessionRow }

type Presented = { row: number; counter: number; secret: Buffer }

/**
 * A new access token for a refresh token. Without rotation the refresh token stays good (Nabi); with rotation (RFC 9700 §4.14) it serves once, and a second
 * use outside the grace ends the session. `only` limits to one app's tokens.
 * @throws AppError token_invalid, token_expired, session_revoked, session_expired, app_disabled
 */
export async function refresh(runtime: Runtime, refreshToken: string, only?: App): Promise<Refreshed> {
  const presented = readOpaque(runtime.vault.ids, refreshToken)
  if (presented?.kind !== 'rt') throw invalid()
  // Refused before anything is written, with the reason if the session is over.
  await assertKnown(runtime, presented, only)
  const { app } = await liveSession(runtime, presented.row)
  const now = runtime.now()

  const work = async (tx: Transaction) => {
    await tx.lock(`refresh of session ${presented.row}`)
    const session = await findSessionRow(tx, presented.row)
    if (!session || session.endedAt) return undefined
    if (now >= session.refreshExpiresAt)
      throw new AppError('token_expired', 'The refresh token has expired; sign in again')
    const next = app.settings.sessionPolicy.refreshRotation
      ? await rotate(tx, session, presented, app, now)
      : keep(session, presented)
    if (next === 'reused') {
      await endSession(tx, session.id, { reason: 'refresh_reuse', at: now })
      await insertEvent(tx, { sessionId: session.id, at: now, kind: 'refresh_reused' })
      await tellEnded(runtime, tx, app, session, { reason: 'refresh_reuse', at: now })
      return undefined
    }
    await note(tx, session, now)
    const opaque = await recordAccess(runtime, tx, app, session, now)
    return { session, opaque, successor: next }
  }
  const outcome = await runtime.db.transaction(work).catch((error: unknown) => {
    if (wasErased(error)) return undefined
    throw error
  })
  if (!outcome) {
    // Ended meanwhile or just now: the session's row says why.
    await liveSession(runtime, presented.row)
    throw invalid()
  }
  const { session, opaque, successor } = outcome
  await runtime.activity.touch(session, now, app.settings.sessionPolicy.idleTimeout)
  const access = await issueAccess(runtime, app, session, opaque, now)
  return {
    ...access,
    app,
    session,
    ...(successor && {
      refreshToken: withSecret(runtime.vault.ids, 'rt', session.id, successor.secret, successor.generation).token,
    }),
  }
}

/** The session a refresh token belongs to, whatever its state. @throws AppError token_invalid when the token is not its token */
export async function assertKnown(runtime: Runtime, presented: Presented, only?: App): Promise<SessionRow> {
  const session = await findSessionRow(runtime.db, presented.row)
  if (!session || (only && session.appId !== only.id)) throw invalid()
  const current = presented.counter === session.refreshGeneration
  if (current && !same(hashSecret(presented.secret), session.refreshHash)) throw invalid()
  if (presented.counter > session.refreshGeneration) throw invalid()
  return session
}

/** A line in the session's timeline, one a minute at most, so that a client in a loop cannot fill the disk. */
async function note(tx: Transaction, session: SessionRow, now: Date): Promise<void> {
  if (session.refreshedAt && now < after(session.refreshedAt, 60)) return
  await setRefresh(tx, session.id, { refreshedAt: now })
  await insertEvent(tx, { sessionId: session.id, at: now, kind: 'refreshed' })
}

function keep(session: SessionRow, presented: Presented): undefined {
  // A token from before rotation was switched off is spent all the same.
  if (presented.counter !== session.refreshGeneration || !same(hashSecret(presented.secret), session.refreshHash))
    throw invalid()
  return undefined
}

async function rotate(tx: Transaction, session: SessionRow, presented: Presented, app: App, now: Date) {
  if (presented.counter === session.refreshGeneration) {
    const secret = randomBytes(32)
    const generation = session.refreshGeneration + 1
    await setRefresh(tx, session.id, {
      refreshHash: hashSecret(secret),
      refreshGeneration: generation,
      refreshedAt: now,
      refreshSuccessorSealed: sealFor(presented.secret, secret),
      refreshExpiresAt: new Date(
        Math.min(after(now, app.settings.sessionPolicy.refreshTokenTtl).getTime(), session.expiresAt.getTime()),
      ),
    })
    return { secret, generation }
  }
  const justReplaced = presented.counter === session.refreshGeneration - 1
  const inGrace = session.refreshedAt !== null && now < after(session.refreshedAt, GRACE_S)
  const secret = justReplaced && inGrace ? openWith(presented.secret, session.refreshSuccessorSealed) : undefined
  return secret ? { secret, generation: session.refreshGeneration } : ('reused' as const)
}

/** The successor is kept only under the token it replaces, so that the database alone yields neither. */
function sealFor(predecessor: Buffer, secret: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', keyOf(predecessor), Buffer.alloc(12))
  return Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()])
}

function openWith(predecessor: Buffer, sealed: Buffer | null): Buffer | undefined {
  if (sealed?.length !== 48) return undefined
  const decipher = createDecipheriv('aes-256-gcm', keyOf(predecessor), Buffer.alloc(12)).setAuthTag(sealed.subarray(32))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, 32)), decipher.final()])
  } catch {
    // Not the token that was replaced: a forgery, treated as a reuse.
    return undefined
  }
}

const keyOf = (predecessor: Buffer) =>
  Buffer.from(hkdfSync('sha256', predecessor, '', 'gatehouse refresh successor', 32))

const same = (a: Buffer, b: Buffer) => a.length === b.length && timingSafeEqual(a, b)

const invalid = () => new AppError('token_invalid', 'This is not a refresh token of ours, or it was replaced')
