import { AppError } from '#server/error.ts'
import type { App } from '#server/app/app.ts'
import { openContent } from '#server/email/content.ts'
import { hashAddress } from '#server/email/queue.ts'
import { readPayload } from '#server/event/payload.ts'
import { openProfile as openHandle } from '#server/profile/profile.ts'
import { deviceKind } from '#server/origin/device.ts'
import { openPersonal } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'
import { listEventsOfUser, listOfUser } from '#server/session/store.ts'
import { describeSignature } from '#server/signature/describe.ts'
import { findSuppressed, listHeld, listWatched } from './exportStore.ts'
import { openDetails, openProfile, openSubject } from './findOrCreate.ts'
import { findUser, listIdentities, listProfiles } from './store.ts'
import { isVouched } from './vouched.ts'

/** Everything held on a person, in clear (GDPR art. 15 and 20). @throws AppError not_found */
export async function exportUser(runtime: Runtime, app: App, userId: number) {
  const { vault, db } = runtime
  const user = await findUser(db, userId)
  if (!user) throw new AppError('not_found', 'There is no such user')
  const rows = await listIdentities(db, userId)
  const identities = await Promise.all(
    rows.map(async (row) => ({
      id: vault.ids.seal('idn', row.id),
      kind: row.kind,
      subject: await openSubject(runtime, db, row.subjectSealed),
      ...(await openDetails(runtime, db, row.detailsSealed)),
      publicKey: row.publicKey?.toString('hex') ?? null,
      createdAt: row.createdAt.toISOString(),
    })),
  )
  const held = await listHeld(db, userId)
  const followed = new Map(
    (
      await listWatched(
        db,
        rows.map(({ id }) => id),
      )
    ).map((row) => [row.identityId, row]),
  )
  const profile = await openProfile(runtime, db, user.profileSealed)
  // Of an address that somebody merely wrote down, nothing is theirs to know: they could ask about anybody's.
  const suppressed =
    profile.email && isVouched(app, profile) && (await findSuppressed(db, hashAddress(vault, profile.email)))
  const events = Map.groupBy(await listEventsOfUser(db, userId), (event) => event.sessionId)
  return {
    exportedAt: runtime.now().toISOString(),
    app: { id: app.publicId, name: app.name },
    user: {
      id: vault.ids.seal('usr', user.id),
      createdAt: user.createdAt.toISOString(),
      blockedAt: user.blockedAt?.toISOString() ?? null,
      blockedReason: user.blockedReason,
      ...profile,
    },
    identities,
    signature: await describeSignature(runtime, userId),
    wallets: identities
      .filter(({ kind }) => kind === 'ton')
      .map(({ id, subject, details, publicKey, createdAt }) => ({
        address: subject,
        ...details,
        publicKey,
        createdAt,
        followed: followed.has(vault.ids.parse('idn', id)!),
      })),
    profiles: await Promise.all(
      (await listProfiles(db, userId)).map(async (row) => ({
        ...(await openHandle(runtime, db, row)),
        createdAt: row.createdAt.toISOString(),
        updatedAt: row.updatedAt.toISOString(),
      })),
    ),
    sessions: (await listOfUser(db, userId)).map((row) => ({
      id: vault.ids.seal('ses', row.id),
      method: row.method,
      device: row.userAgent,
      deviceKind: deviceKind(row.device),
      ip: row.ip,
      country: row.country,
      createdAt: row.createdAt.toISOString(),
      lastActiveAt: new Date(runtime.activity.lastActiveAt(row)).toISOString(),
      expiresAt: row.expiresAt.toISOString(),
      endedAt: row.endedAt?.toISOString() ?? null,
      endReason: row.endReason,
      events: (events.get(row.id) ?? []).map(({ at, kind, detail }) => ({ at: at.toISOString(), kind, detail })),
    })),
    notifications: await Promise.all(
      held.events.map(async (row) => ({
        id: vault.ids.seal('evt', row.id),
        type: row.type,
        createdAt: row.createdAt.toISOString(),
        readAt: row.readAt?.toISOString() ?? null,
        payload: readPayload(await openPersonal(runtime, db, row.payloadSealed, 'events.payload')),
      })),
    ),
    notificationPreferences: held.preferences
      ? {
          choices: JSON.parse(held.preferences.choices) as unknown,
          telegramEndedAt: held.preferences.telegramEndedAt?.toISOString() ?? null,
          telegramEndReason: held.preferences.telegramEndReason,
        }
      : null,
    findings: held.findings.map(({ detector, startedAt, lastSeenAt, tries }) => ({
      detector,
      startedAt: startedAt.toISOString(),
      lastSeenAt: lastSeenAt.toISOString(),
      tries,
    })),
    mails: await Promise.all(
      held.mails.map(async (row) => ({
        id: vault.ids.seal('eml', row.id),
        kind: row.kind,
        locale: row.locale,
        to: await openPersonal(runtime, db, row.toSealed, 'emails.to'),
        subject: row.contentSealed ? (await openContent(runtime, db, row.contentSealed)).coveredParts.subject : null,
        status: row.status,
        createdAt: row.createdAt.toISOString(),
        finishedAt: row.finishedAt?.toISOString() ?? null,
      })),
    ),
    mailSuppressed: suppressed
      ? { reason: suppressed.reason, since: suppressed.createdAt.toISOString(), until: iso(suppressed.until) }
      : null,
    underWay: {
      signatureResetUntil: iso(held.reset?.expiresAt ?? null),
      accountLinkUntil: iso(held.wish?.expiresAt ?? null),
    },
    audit: held.noted.map(({ at, action, actorKind, ip }) => ({
      at: at.toISOString(),
      action,
      // Where they were themselves; not where somebody of the staff was.
      ...(actorKind === 'system' && { ip }),
    })),
    blocks: held.blocks.map(({ effect, reason, createdAt, expiresAt }) => ({
      effect,
      reason,
      createdAt: createdAt.toISOString(),
      expiresAt: expiresAt?.toISOString() ?? null,
    })),
  }
}

const iso = (at: Date | null) => at?.toISOString() ?? null
