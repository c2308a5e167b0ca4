import { appAt } from '#server/app/app.ts'
import { listAllApps } from '#server/app/store.ts'
import type { Runtime } from '#server/runtime.ts'
import { countIssued, type SigningKeyRow } from './store.ts'

/** How many sessions hold a token that a key signed and that is good still, and when the last of those tokens expires. */
export type LiveTokens = { count: number; capped: boolean; lastExpiresAt: Date | null }

const MOST = 10_000
const DAY_MS = 86_400_000

/**
 * Live JWTs by the key that signed them. No token is written down: a session's newest was issued when it was last refreshed, or began, by the key that was
 * active then, and lives for its app's lifetime of access tokens while its session lives. Of a session that refreshes within a minute only the first is
 * noted, so around a rotation a count is true to a minute. What a session holds besides its newest token is not counted, since whoever refreshed uses the
 * new one.
 * @param only apps that are counted; undefined is all
 */
export async function liveTokens(
  runtime: Runtime,
  keys: Pick<SigningKeyRow, 'kid' | 'createdAt' | 'activatedAt' | 'retiredAt'>[],
  only?: number[],
): Promise<Map<string, LiveTokens>> {
  // What is only noted in memory would be looked for among older uses.
  await runtime.activity.flush(true)
  const now = runtime.now()
  const lifetimes = await lifetimesOf(runtime, only)
  const found = new Map<string, LiveTokens>()
  for (const { kid, createdAt, activatedAt, retiredAt } of keys) {
    const total: LiveTokens = { count: 0, capped: false, lastExpiresAt: null }
    found.set(kid, total)
    if (!activatedAt) continue
    // A key that was active at once is the first: it was made for a sign-in that had begun before.
    const since = activatedAt > createdAt ? activatedAt : new Date(0)
    for (const [ttl, appIds] of lifetimes) {
      const oldest = new Date(now.getTime() - ttl * 1000 + 1)
      // Clocks of several processes differ by less than a day.
      const to = retiredAt ?? new Date(now.getTime() + DAY_MS)
      const span = { from: later(oldest, since), to }
      if (span.from >= span.to) continue
      const { count, last } = await countIssued(runtime.db, { ...span, appIds, now }, MOST - total.count + 1)
      total.count += count
      // Beyond what is counted, the last could be any up to the end of the span.
      const latest = total.count > MOST ? (retiredAt ?? now) : last
      if (latest) total.lastExpiresAt = later(total.lastExpiresAt, new Date(latest.getTime() + ttl * 1000))
      if (total.count <= MOST) continue
      Object.assign(total, { count: MOST, capped: true })
      break
    }
  }
  return found
}

const later = (one: Date | null, other: Date) => (one && one > other ? one : other)

/** Apps whose access tokens are JWTs, by how long these live. */
async function lifetimesOf(runtime: Runtime, only: number[] | undefined): Promise<Map<number, number[]>> {
  const lifetimes = new Map<number, number[]>()
  for (const row of await listAllApps(runtime.db)) {
    const policy = (await appAt(runtime, row.id, row.version))?.settings.sessionPolicy
    if (policy?.accessTokenFormat !== 'jwt' || (only && !only.includes(row.id))) continue
    lifetimes.set(policy.accessTokenTtl, [...(lifetimes.get(policy.accessTokenTtl) ?? []), row.id])
  }
  // The longest first, so that what is not counted beyond the cap expires before it.
  return new Map([...lifetimes].sort(([a], [b]) => b - a))
}
