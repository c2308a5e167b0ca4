import { isDeepStrictEqual } from 'node:util'
import type { App } from '#server/app/app.ts'
import type { Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import { changeEndpoint, createEndpoint, rotateSecret } from '#server/webhook/change.ts'
import { openSecrets } from '#server/webhook/secrets.ts'
import { listEndpoints, type EndpointRow } from '#server/webhook/store.ts'
import type { DeclaredEndpoint } from './declaration.ts'

/** Seconds for which the secret before a declared one signs along. */
const OVERLAP = 86_400

/**
 * Brings an endpoint of an app to what is declared. It is the first of this URL that the file has not named before (`taken`).
 * @returns what differed, each with a full stop before it; '' for all of it where there was none
 * @throws AppError invalid_request
 */
export async function applyEndpoint(
  runtime: Runtime,
  actor: Actor,
  app: App,
  declared: DeclaredEndpoint,
  taken: Set<number>,
): Promise<string[]> {
  const { state, secret, ...wanted } = declared
  const rows = await listEndpoints(runtime.db, app.id)
  const row = rows.find(({ id, url }) => url === wanted.url && !taken.has(id))
  if (!row) {
    const made = await createEndpoint(runtime, actor, app, { ...wanted, ...(secret !== undefined && { secret }) })
    taken.add(made.row.id)
    if (state === 'paused') await changeEndpoint(runtime, actor, app, made.row.id, { state })
    return ['']
  }
  taken.add(row.id)
  const { signing, headers } = openSecrets(runtime.vault, row.secretsSealed)
  const current = { ...describe(row), headers }
  const patch = Object.fromEntries(
    Object.entries({ ...wanted, state }).filter(
      ([name, value]) => value !== undefined && !isDeepStrictEqual(current[name as keyof typeof current], value),
    ),
  )
  // An endpoint for logout tokens has the one type that it can have.
  if ((wanted.payloadFormat ?? row.payloadFormat) === 'logout_token') delete patch['types']
  if (Object.keys(patch).length > 0) await changeEndpoint(runtime, actor, app, row.id, patch)
  const renewed = secret !== undefined && secret !== signing[0]?.secret
  if (renewed) await rotateSecret(runtime, actor, app, row.id, OVERLAP, secret)
  return [...Object.keys(patch), ...(renewed ? ['secret'] : [])].map((name) => `.${name}`)
}

/** An endpoint as it is declared, without what is secret. */
export function describe(row: EndpointRow) {
  const { url, description, payloadFormat, ordered, ratePerSecond, concurrency, timeoutMs, state, publicKey } = row
  return {
    ...{ url, description, types: JSON.parse(row.types) as string[], payloadFormat, ordered },
    ...{ ratePerSecond, concurrency, timeoutMs, asymmetric: publicKey !== null, state },
  }
}
