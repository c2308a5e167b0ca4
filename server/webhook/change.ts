import type { App } from '#server/app/app.ts'
import { wants } from '#server/app/subscriptions.ts'
import type { Transaction } from '#server/db/database.ts'
import { releaseHeld } from '#server/delivery/store.ts'
import { AppError } from '#server/error.ts'
import { typesOf } from '#server/event/types.ts'
import { recordAudit, type Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import { LOGOUT_TYPE } from './logoutToken.ts'
import { openSecrets, sealSecrets, type EndpointSecrets } from './secrets.ts'
import { defaults, type EndpointPatch, type NewEndpoint } from './settings.ts'
import { newKeyPair, newSecret } from './sign.ts'
import {
  deleteEndpoint,
  findEndpoint,
  insertEndpoint,
  saveSubscriptions,
  updateEndpoint,
  type EndpointRow,
} from './store.ts'

const CHUNK = 2_000

/** Makes an endpoint; the secret is returned once and kept encrypted. @throws AppError invalid_request */
export async function createEndpoint(
  runtime: Runtime,
  actor: Actor,
  app: App,
  input: NewEndpoint,
): Promise<{ row: EndpointRow; secret: string }> {
  assertCallable(runtime, input.url)
  await assertTypes(runtime, app, input.types)
  const { secret = newSecret(), headers, asymmetric, ...rest } = { ...defaults, ...defined(input) }
  const types = rest.payloadFormat === 'logout_token' ? [LOGOUT_TYPE] : rest.types
  const pair = asymmetric ? newKeyPair() : undefined
  const secrets: EndpointSecrets = {
    signing: [{ secret }],
    headers,
    ...(pair && { privateJwk: pair.privateJwk }),
  }
  const now = runtime.now()
  const row = await runtime.db.transaction(async (tx) => {
    await tx.lock(`app ${app.id}`)
    const row = await insertEndpoint(tx, {
      ...rest,
      appId: app.id,
      types: JSON.stringify(types),
      secretsSealed: sealSecrets(runtime.vault, secrets),
      publicKey: pair?.publicKey ?? null,
      state: 'active',
      stateAt: now,
      createdAt: now,
      updatedAt: now,
    })
    await saveSubscriptions(tx, app.id)
    await audit(tx, row, { actor, at: now, action: 'webhook.create', after: describe(row) })
    return row
  })
  runtime.apps.delete(app.id)
  return { row, secret }
}

/**
 * Changes an endpoint. Switching it on forgets why it was off, and with `sendHeld` sends what was held meanwhile.
 * @throws AppError not_found, invalid_request
 */
export async function changeEndpoint(
  runtime: Runtime,
  actor: Actor,
  app: App,
  id: number,
  patch: EndpointPatch,
): Promise<EndpointRow> {
  assertCallable(runtime, patch.url)
  await assertTypes(runtime, app, patch.types)
  const { headers, asymmetric, types: wanted, state, sendHeld = false, ...rest } = defined(patch)
  const now = runtime.now()
  const row = await runtime.db.transaction(async (tx) => {
    await tx.lock(`app ${app.id}`)
    const before = await findEndpoint(tx, id)
    if (!before || before.appId !== app.id) throw new AppError('not_found', 'This app has no such endpoint')
    const secrets = openSecrets(runtime.vault, before.secretsSealed)
    if (headers) secrets.headers = headers
    let publicKey = before.publicKey
    if (asymmetric === false) {
      publicKey = null
      delete secrets.privateJwk
    } else if (asymmetric && publicKey === null) {
      const pair = newKeyPair()
      publicKey = pair.publicKey
      secrets.privateJwk = pair.privateJwk
    }
    const { payloadFormat = before.payloadFormat } = rest
    const types = payloadFormat === 'logout_token' ? [LOGOUT_TYPE] : wanted
    const turned = state !== undefined && state !== before.state
    const after = await updateEndpoint(tx, id, {
      ...rest,
      ...(types && { types: JSON.stringify(types) }),
      secretsSealed: sealSecrets(runtime.vault, secrets),
      publicKey,
      ...(turned && {
        ...{
          state,
          stateAt: now,
          stateReason:
            state === 'paused' ? `Paused by ${actor.kind === 'cli' ? 'the command line' : actor.label}` : null,
        },
        ...{ failingSince: null, openUntil: null, openings: 0 },
      }),
      updatedAt: now,
    })
    await saveSubscriptions(tx, app.id)
    const change = {
      before: describe(before),
      after: { ...describe(after!), ...(headers && { headersChanged: true }) },
    }
    await audit(tx, after!, { actor, at: now, action: 'webhook.update', ...change })
    return after!
  })
  runtime.apps.delete(app.id)
  if (sendHeld && row.state === 'active') await sendHeldOf(runtime, id)
  runtime.outbox.wake(id)
  return row
}

/** Sends what an endpoint held, oldest first; returns how many. */
async function sendHeldOf(runtime: Runtime, id: number): Promise<number> {
  for (let released = 0; ;) {
    const some = await runtime.db.transaction((tx) => releaseHeld(tx, id, runtime.now(), CHUNK))
    released += some
    if (some < CHUNK) return released
  }
}

/** Removes an endpoint; what it was owed stays in the log as not sent. @throws AppError not_found */
export async function removeEndpoint(runtime: Runtime, actor: Actor, app: App, id: number): Promise<void> {
  const now = runtime.now()
  await runtime.db.transaction(async (tx) => {
    await tx.lock(`app ${app.id}`)
    const row = await findEndpoint(tx, id)
    if (!row || row.appId !== app.id) throw new AppError('not_found', 'This app has no such endpoint')
    await deleteEndpoint(tx, id)
    await saveSubscriptions(tx, app.id)
    await audit(tx, row, { actor, at: now, action: 'webhook.delete', before: describe(row) })
  })
  runtime.apps.delete(app.id)
}

const LIVE_SECRETS = 3

/** A new signing secret; the old one signs along for `overlap` seconds, so that a receiver can change at its leisure. @throws AppError not_found */
export async function rotateSecret(
  runtime: Runtime,
  actor: Actor,
  app: App,
  id: number,
  overlap: number,
  secret = newSecret(),
): Promise<{ row: EndpointRow; secret: string }> {
  const now = runtime.now()
  const until = new Date(now.getTime() + overlap * 1000)
  const row = await runtime.db.transaction(async (tx) => {
    await tx.lock(`app ${app.id}`)
    const before = await findEndpoint(tx, id)
    if (!before || before.appId !== app.id) throw new AppError('not_found', 'This app has no such endpoint')
    const secrets = openSecrets(runtime.vault, before.secretsSealed)
    const older = secrets.signing
      .map((old) => ({ secret: old.secret, until: earlier(old.until, until.toISOString()) }))
      .filter((old) => new Date(old.until) > now)
    secrets.signing = [{ secret }, ...older.slice(0, LIVE_SECRETS - 1)]
    const change = { secretsSealed: sealSecrets(runtime.vault, secrets), updatedAt: now }
    const after = await updateEndpoint(tx, id, change)
    await audit(tx, after!, { actor, at: now, action: 'webhook.rotate_secret', after: { overlapSeconds: overlap } })
    return after!
  })
  return { row, secret }
}

const earlier = (a: string | undefined, b: string) => (a !== undefined && a < b ? a : b)

/** What can be seen in the URL alone is refused here; what its name leads to, on every call (http/outbound). */
function assertCallable(runtime: Runtime, url: string | undefined): void {
  const reason = url === undefined ? undefined : runtime.outbound.judge(url)
  if (reason !== undefined)
    throw new AppError('invalid_request', 'This URL would not be called; see errors', {
      errors: [{ path: 'url', message: reason }],
    })
}

async function assertTypes(runtime: Runtime, app: App, patterns: string[] | undefined): Promise<void> {
  if (!patterns) return
  const known = [...(await typesOf(runtime, runtime.db, app)).keys()]
  const errors = patterns.flatMap((pattern, place) =>
    known.some((type) => wants([pattern], type))
      ? []
      : [{ path: `types.${place}`, message: 'is no event type of this app' }],
  )
  if (errors.length > 0) throw new AppError('invalid_request', 'The input does not fit; see errors', { errors })
}

function describe(row: EndpointRow) {
  const { url, description, payloadFormat, ordered, ratePerSecond, concurrency, timeoutMs, state } = row
  const types = JSON.parse(row.types) as string[]
  return { url, description, types, payloadFormat, ordered, ratePerSecond, concurrency, timeoutMs, state }
}

type Act = { actor: Actor; at: Date; action: string; before?: unknown; after?: unknown }

function audit(tx: Transaction, { id, appId, url }: EndpointRow, act: Act): Promise<void> {
  return recordAudit(tx, { ...act, appId, target: { kind: 'webhook', id, label: url } })
}

const defined = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]: Exclude<T[Key], undefined>
  }
