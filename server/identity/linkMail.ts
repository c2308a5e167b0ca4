import { appIn, type App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { NOBODY } from '#server/email/address.ts'
import { queueEmail } from '#server/email/queue.ts'
import type { Runtime } from '#server/runtime.ts'
import { hashCode, newCode } from '#server/signature/code.ts'
import { openProfile } from './findOrCreate.ts'
import { linkCodeOf } from './link.ts'
import { changeLinkCode, findLinkCode, listByEmail, listUnresolved } from './linkStore.ts'
import type { Profile } from './proof.ts'
import { findUser } from './store.ts'
import { isVouched } from './vouched.ts'

/** More people than this do not share a mailbox. */
const MOST_NAMESAKES = 50
const CHUNK = 100

/**
 * Looks for the account that a person wants to join and mails a code to it, as its own login gave the address, not as it was asked for: two that look
 * the same in lower case need not be the same mailbox. Once only, whoever does it. Where there is none, a mail to nobody is written as well.
 */
export async function mailLinkCode(runtime: Runtime, app: App, userId: number, ip?: string): Promise<void> {
  const { vault } = runtime
  const now = runtime.now()
  const code = newCode()
  await runtime.db.transaction(async (tx) => {
    await tx.lock(`link of user ${userId}`)
    const row = await findLinkCode(tx, userId)
    if (!row || row.resolvedAt || row.expiresAt <= now) return
    const target = await findTarget(runtime, tx, app, userId, row.emailHash)
    const codeHash = hashCode(vault, linkCodeOf(userId), code)
    await changeLinkCode(tx, userId, { resolvedAt: now, ...(target && { targetId: target.id, codeHash }) })
    // Nobody is written to all the same: whoever calls at this moment would feel the difference.
    const { id, profile } = target ?? (await standIn(runtime, tx, userId))
    const { email, language, name } = profile
    await queueEmail(runtime, tx, {
      app,
      userId: id,
      kind: 'verification_code_link_account',
      to: email!,
      locale: language,
      // No device: what a browser calls itself is the asker's own text, and they may be a stranger.
      variables: { code, userName: name, ip },
      expiresAt: row.expiresAt,
    })
  })
}

/**
 * The account whose login vouches for this address; of several the oldest. One that a person merely wrote down joins nothing: whoever wrote it there would
 * wait in the account of the mailbox's owner.
 */
async function findTarget(
  runtime: Runtime,
  tx: Transaction,
  app: App,
  userId: number,
  emailHash: Buffer,
): Promise<{ id: number; profile: Profile } | undefined> {
  const namesakes = await listByEmail(tx, app.id, emailHash, MOST_NAMESAKES)
  for (const user of namesakes) {
    if (user.id === userId || user.blockedAt) continue
    const profile = await openProfile(runtime, tx, user.profileSealed)
    if (isVouched(app, profile)) return { id: user.id, profile }
  }
  return undefined
}

/** Nobody, for whom as much is looked up and opened as for somebody: the profile of who asks, whose language is a likely one. */
async function standIn(runtime: Runtime, tx: Transaction, userId: number): Promise<{ id: number; profile: Profile }> {
  const user = await findUser(tx, userId)
  const profile = await openProfile(runtime, tx, user?.profileSealed ?? null)
  return { id: userId, profile: { ...profile, email: NOBODY } }
}

/** Mails what a process that stopped between answer and mail has left; returns how many wishes it found. */
export async function mailPendingLinks(runtime: Runtime): Promise<number> {
  const pending = await listUnresolved(runtime.db, runtime.now(), CHUNK)
  for (const { userId, appId } of pending) {
    const app = await appIn(runtime, runtime.db, appId)
    if (app) await mailLinkCode(runtime, app, userId)
  }
  return pending.length
}
