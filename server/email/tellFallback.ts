import type { App } from '#server/app/app.ts'
import { recordAudit, systemActor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import { fallbacksSince } from './fallbacks.ts'
import type { EmailRow } from './store.ts'
import { tellOperators, type Told } from './tellOperators.ts'

const HOUR_MS = 3_600_000
/** A template that falls back again and again is mailed of once, and again when it had held for this long. */
const DAY_MS = 86_400_000
/** When each broken template was last told of, so that a thousand mails do not make a thousand entries. */
const told = new WeakMap<Runtime, Map<string, number>>()

/** Tells the operators, in the log, in the audit log and by mail, that an app's own template could not be used. */
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
  await runtime.db.transaction(async (tx) => {
    const known = await fallbacksSince(tx, new Date(at.getTime() - DAY_MS), [app.id])
    await recordAudit(tx, {
      at,
      actor: systemActor,
      action: 'email_template.fallback',
      appId: app.id,
      target: { kind: 'app', id: app.id, label: app.name },
      after: { kind, locale, reason: why, sent: 'the built-in mail' },
    })
    if (known.some((one) => one.kind === kind && one.locale === locale)) return
    await tellOperators(runtime, tx, app, mailOf(runtime, app, { kind, locale, why }))
  })
}

/** What an app's operators are told of a template of theirs that does not hold. */
function mailOf(
  { config }: Pick<Runtime, 'config'>,
  app: App,
  { kind, locale, why }: { kind: string; locale: string; why: string },
): Told {
  const name = kind.replaceAll('_', ' ')
  return {
    kind: 'template_fallback',
    heading: `${app.name}: a mail template does not hold`,
    lines: [
      `Your template “${name}” (${locale}) could not be used, so people get the built-in mail instead. No mail was lost.`,
      'A template that passed the checks can stop passing them when the app’s name, address or branding is changed. Open it, see what the checks say, and publish it again; or go back to the built-in text.',
    ],
    facts: [
      { label: 'Template', value: `${name}, ${locale}` },
      { label: 'Why', value: why },
    ],
    action: {
      label: 'Open the template',
      url: `${config.publicUrl}/console/templates/${kind}?app=${app.publicId}&locale=${locale}`,
    },
  }
}
