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
    const { slug, name, disabled, telegram, ...settings } = describe(openApp(runtime.vault, row))
    const { botTokenSet, botId: _, ...openTelegram } = telegram
    if (botTokenSet) secrets.push({ slug, path: 'telegram.botToken' })
    return { slug, name, disabled, ...settings, telegram: openTelegram }
  })
  return { apps, secrets }
}
