import { appIn } from '#server/app/app.ts'
import type { Runtime } from '#server/runtime.ts'
import { formatAddress, networkFor } from '#server/ton/address.ts'

/** A TON address as wallets show it in an app's network. @param bound the network that the wallet itself names, where it does */
export async function shownAddress(runtime: Runtime, appId: number, raw: string, bound?: unknown): Promise<string> {
  const app = runtime.apps.get(appId) ?? (await appIn(runtime, runtime.db, appId))
  const network = networkFor(app?.settings.ton.chains ?? [], bound)
  return formatAddress(raw, { bounceable: false, testOnly: network === '-3' })
}
