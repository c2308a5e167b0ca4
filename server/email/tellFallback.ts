import type { App } from '#server/app/app.ts'
import { recordAudit } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import type { EmailRow } from './store.ts'

const HOUR_MS = 3_600_000
/** When each broken template was last told of, so that a thousand mails do not make a thousand entries. */
const told = new WeakMap<Runtime, Map<string, number>>()

/** Tells the operators, in the log and in the audit log, that an app's own template could not be used. */
export async function tellFallback(runtime: Runtime, app: App, row: EmailRow, why: string): Promise<void> {
  const { kind, locale } = row
  const at = runtime.now()
  runtime.log.error(
    { app: app.publicId, kind, locale, why },
    'a mail template does not hold; the built-in one was sent',
  )
  const last = told.get(runtime) ?? new Map<string, number>()
  told.set(runtime, last)
  const key = `${app.id} ${kind} ${locale}`
  if (at.getTime() - (last.get(key) ?? -Infinity) < HOUR_MS) return
  last.set(key, at.getTime())
  await runtime.db.transaction((tx) =>
    recordAudit(tx, {
      at,
      actor: { kind: 'system', id: null, label: 'Gatehouse', ip: null },
      action: 'email_template.fallback',
      appId: app.id,
      target: { kind: 'app', id: app.id, label: app.name },
      after: { kind, locale, reason: why, sent: 'the built-in mail' },
    }),
  )
}
