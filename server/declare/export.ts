import { isDeepStrictEqual } from 'node:util'
import { openApp, type App } from '#server/app/app.ts'
import { describe } from '#server/app/change.ts'
import { listAllApps } from '#server/app/store.ts'
import { findPublished, listTemplates } from '#server/email/templateStore.ts'
import type { Locale, MailKind } from '#server/email/kinds.ts'
import { catalogue } from '#server/event/catalogue.ts'
import { typesOf } from '#server/event/types.ts'
import type { Runtime } from '#server/runtime.ts'
import { openSecrets } from '#server/webhook/secrets.ts'
import { listEndpoints } from '#server/webhook/store.ts'
import { describe as describeEndpoint } from './applyEndpoint.ts'

type Secret = { slug: string; path: string }

/**
 * All apps as `apply` takes them. Secrets are left out, and leaving one out keeps it: applying the export where it came from changes
 * nothing. `secrets` names what has to be given again elsewhere, by slug.
 */
export async function exportApps(runtime: Runtime) {
  const secrets: Secret[] = []
  const apps: Record<string, unknown>[] = []
  for (const row of await listAllApps(runtime.db)) {
    const app = openApp(runtime.vault, row)
    const name = (path: string) => void secrets.push({ slug: app.slug, path })
    apps.push({
      ...settingsOf(app, name),
      ...some('webhooks', await endpointsOf(runtime, app, name)),
      ...some('eventTypes', await ownTypesOf(runtime, app)),
      ...some('emailTemplates', await publishedOf(runtime, app)),
    })
  }
  return { apps, secrets }
}

/** A member only where there is something to say. */
const some = (name: string, value: object) => (Object.keys(value).length > 0 ? { [name]: value } : {})

function settingsOf(app: App, secret: (path: string) => void) {
  const { slug, name, disabled, telegram, sso, ...settings } = describe(app)
  const { botTokenSet, botId: _, ...openTelegram } = telegram
  if (botTokenSet) secret('telegram.botToken')
  const { headerNames, ...openSso } = sso
  for (const header of headerNames) secret(`sso.headers.${header}`)
  return { slug, name, disabled, ...settings, telegram: openTelegram, sso: openSso }
}

async function endpointsOf(runtime: Runtime, app: App, secret: (path: string) => void) {
  const rows = await listEndpoints(runtime.db, app.id)
  return rows.map((row, at) => {
    const { headers } = openSecrets(runtime.vault, row.secretsSealed)
    secret(`webhooks[${at}].secret`)
    for (const header of Object.keys(headers)) secret(`webhooks[${at}].headers.${header}`)
    const { state, ...rest } = describeEndpoint(row)
    // One that Gatehouse gave up is not declared to be so: elsewhere its receiver may be well.
    return { ...rest, ...(state === 'paused' && { state }) }
  })
}

async function ownTypesOf(runtime: Runtime, app: App): Promise<object[]> {
  const types = await typesOf(runtime, runtime.db, app)
  return [...types.values()].flatMap(({ key, op, unit, group, description, schema, sample, templates }): object[] => {
    const builtin = catalogue.get(key)
    if (!builtin) return [{ key, op, unit, group, description, schema, sample, templates }]
    const changed = Object.entries(templates).filter(
      ([locale, texts]) => !isDeepStrictEqual(builtin.templates[locale], texts),
    )
    // English has to be there with any other.
    return changed.length > 0 ? [{ key, templates: { en: templates['en'], ...Object.fromEntries(changed) } }] : []
  })
}

async function publishedOf(runtime: Runtime, app: App) {
  const templates: Partial<Record<MailKind, Partial<Record<Locale, object>>>> = {}
  for (const row of await listTemplates(runtime.db, app.id)) {
    const [kind, locale] = [row.kind as MailKind, row.locale as Locale]
    const published = await findPublished(runtime.db, { appId: app.id, kind, locale })
    if (published) templates[kind] = { ...templates[kind], [locale]: published.content }
  }
  return templates
}
