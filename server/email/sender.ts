import type { App } from '#server/app/app.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Sender } from './marks.ts'

/** Who an app's mails come from: its settings, else its name at the host that Gatehouse is reached at. */
export function senderOf(runtime: Pick<Runtime, 'config'>, app: App): Sender {
  const { branding, email } = app.settings
  return {
    name: email.senderName ?? branding.appName ?? app.name,
    address: email.senderAddress ?? `no-reply@${new URL(runtime.config.publicUrl).hostname}`,
  }
}
