import * as z from 'zod'
import { instant } from '#server/console/page.ts'
import type { Runtime } from '#server/runtime.ts'
import { live, openSecrets } from './secrets.ts'
import { countOpen, listHours, type EndpointRow } from './store.ts'

const HOUR_MS = 3_600_000
const PLOT_HOURS = 24

export const endpointShape = z.object({
  id: z.string(),
  appId: z.string(),
  url: z.string(),
  description: z.string(),
  types: z.array(z.string()),
  payloadFormat: z.enum(['standard', 'extended', 'logout_token']),
  ordered: z.boolean(),
  ratePerSecond: z.number(),
  concurrency: z.number(),
  timeoutMs: z.number(),
  headerNames: z.array(z.string()),
  asymmetric: z.boolean(),
  publicKey: z.string().nullable().describe('whpk_…, for v1a signatures'),
  secrets: z.array(z.object({ expiresAt: instant.nullable() })).describe('The secrets that sign now, newest first'),
  state: z.enum(['active', 'paused', 'disabled']),
  stateReason: z.string().nullable(),
  stateAt: instant,
  createdAt: instant,
  updatedAt: instant,
  health: z.object({
    status: z.enum(['idle', 'healthy', 'failing', 'circuit_open', 'paused', 'disabled']),
    lastSuccessAt: instant.nullable(),
    lastFailureAt: instant.nullable(),
    failingSince: instant.nullable(),
    circuitOpenUntil: instant.nullable(),
    waiting: z.number(),
    held: z.number(),
    dead: z.number(),
    hours: z
      .array(
        z.object({
          at: instant,
          delivered: z.number(),
          failed: z.number(),
          averageMs: z.number().nullable(),
          slowestMs: z.number().nullable(),
        }),
      )
      .describe('Attempts of the last 24 hours, oldest first'),
  }),
})
export type EndpointShape = z.infer<typeof endpointShape>

/** Endpoints as the console lists them, with how they do. */
export async function showEndpoints(runtime: Runtime, rows: EndpointRow[]): Promise<EndpointShape[]> {
  const now = runtime.now()
  const last = Math.floor(now.getTime() / HOUR_MS)
  const ids = rows.map((row) => row.id)
  const [open, hours] = await Promise.all([
    countOpen(runtime.db, ids),
    listHours(runtime.db, ids, last - PLOT_HOURS + 1),
  ])
  return rows.map((row) => {
    const counted = (status: string) => open.find((one) => one.lane === row.id && one.status === status)?.n ?? 0
    const own = new Map(hours.filter((one) => one.lane === row.id).map((one) => [one.hour, one]))
    return {
      ...describeEndpoint(runtime, row, now),
      health: {
        status: healthOf(row, now),
        lastSuccessAt: iso(row.lastSuccessAt),
        lastFailureAt: iso(row.lastFailureAt),
        failingSince: iso(row.failingSince),
        circuitOpenUntil: row.openUntil && row.openUntil > now ? row.openUntil.toISOString() : null,
        waiting: counted('pending'),
        held: counted('held'),
        dead: counted('dead'),
        hours: Array.from({ length: PLOT_HOURS }, (_, place) => {
          const hour = last - PLOT_HOURS + 1 + place
          const found = own.get(hour)
          const all = found ? found.delivered + found.failed : 0
          return {
            at: new Date(hour * HOUR_MS).toISOString(),
            delivered: found?.delivered ?? 0,
            failed: found?.failed ?? 0,
            averageMs: found ? Math.round(found.totalMs / all) : null,
            slowestMs: found?.slowestMs ?? null,
          }
        }),
      },
    }
  })
}

const iso = (at: Date | null) => at?.toISOString() ?? null

function describeEndpoint(runtime: Runtime, row: EndpointRow, now: Date) {
  const { vault } = runtime
  const secrets = openSecrets(vault, row.secretsSealed)
  const { url, description, payloadFormat, ordered, ratePerSecond, concurrency, timeoutMs, state, stateReason } = row
  return {
    ...{ url, description, payloadFormat, ordered, ratePerSecond, concurrency, timeoutMs, state, stateReason },
    id: vault.ids.seal('whe', row.id),
    appId: vault.ids.seal('app', row.appId),
    types: JSON.parse(row.types) as string[],
    headerNames: Object.keys(secrets.headers),
    asymmetric: row.publicKey !== null,
    publicKey: row.publicKey === null ? null : `whpk_${row.publicKey}`,
    secrets: live(secrets, now).map(({ until }) => ({ expiresAt: until ?? null })),
    stateAt: row.stateAt.toISOString(),
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  }
}

function healthOf(row: EndpointRow, now: Date): EndpointShape['health']['status'] {
  if (row.state !== 'active') return row.state
  if (row.openUntil && row.openUntil > now) return 'circuit_open'
  if (row.failingSince) return 'failing'
  return row.lastSuccessAt ? 'healthy' : 'idle'
}
