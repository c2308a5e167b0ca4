import type { Runtime } from '#server/runtime.ts'
import { openApp } from './app.ts'
import { describe } from './change.ts'
import { listAllApps } from './store.ts'

/**
 * All apps as `apply` takes them. Secrets are left out, and leaving one out keeps it: applying the export where it came from changes
 * nothing. `secrets` names what has to be given again elsewhere, by slug.
 */
export async function exportApps(runtime: Runtime) {
  const rows = await listAllApps(runtime.db)
  const secrets: { slug: string; path: string }[] = []
  const apps = rows.map((row) => {
    const { slug, name, disabled, telegram, sso, ...settings } = describe(openApp(runtime.vault, row))
    const { botTokenSet, botId: _, ...openTelegram } = telegram
    if (botTokenSet) secrets.push({ slug, path: 'telegram.botToken' })
    const { headerNames, ...openSso } = sso
    for (const header of headerNames) secrets.push({ slug, path: `sso.headers.${header}` })
    return { slug, name, disabled, ...settings, telegram: openTelegram, sso: openSso }
  })
  return { apps, secrets }
}
