import type { Reader } from '#server/db/database.ts'
import { listAudit } from '#server/operator/store.ts'

const MOST_READ = 500

export type Fallback = { appId: number; kind: string; locale: string; reason: string; at: Date }

/** Templates that could not be used since a moment, each as it was found last, newest first. The audit log is the memory of that. */
export async function fallbacksSince(db: Reader, from: Date, only: number[] | undefined): Promise<Fallback[]> {
  const entries = await listAudit(db, {
    action: 'email_template.fallback',
    from,
    only,
    newestFirst: true,
    limit: MOST_READ,
  })
  const found = new Map<string, Fallback>()
  for (const { appId, after, at } of entries) {
    if (appId === null || after === null) continue
    const { kind, locale, reason } = JSON.parse(after) as Omit<Fallback, 'appId' | 'at'>
    const key = `${appId} ${kind} ${locale}`
    if (!found.has(key)) found.set(key, { appId, kind, locale, reason, at })
  }
  return [...found.values()]
}
