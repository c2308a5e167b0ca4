import type { IncomingMessage, ServerResponse } from 'node:http'
import type { App } from '#server/app/app.ts'
import type { Runtime } from '#server/runtime.ts'
import { limitKey } from './address.ts'
import { setQuota } from './answer.ts'
import { addressOf } from './authenticate.ts'

/** Counts a public call against what its address may make in this app, and says in the headers what is left. @throws AppError rate_limited */
export async function spendCall(
  runtime: Runtime,
  app: App,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!runtime.config.rateLimits) return
  const key = limitKey(addressOf(runtime, request))
  setQuota(response, await runtime.limits.call(key, app.settings.rateLimits.callsPerAddress))
}
