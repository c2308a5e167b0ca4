import type { ServerResponse } from 'node:http'
import type { App } from '#server/app/app.ts'
import type { AppError } from '#server/error.ts'
import { limitKey } from '#server/http/address.ts'
import { setQuota } from '#server/http/answer.ts'
import type { Runtime } from '#server/runtime.ts'

/**
 * Counts a try to sign in against what its address and its app may make. Where the address has made too many, the refusal is returned and not thrown: it falls
 * once it is known whose try it is (`attempt`), for it may be one of those who live there.
 * @throws AppError rate_limited for the app
 */
export async function spendTry(
  runtime: Runtime,
  response: ServerResponse,
  app: App,
  ip: string,
): Promise<AppError | undefined> {
  const { quota, over } = await runtime.limits.signIn(app, limitKey(ip))
  setQuota(response, quota)
  return over
}

/** What a try says. Of one too many that says nothing of use, that it is one too many is all there is to say. */
export async function readTry<T>(over: AppError | undefined, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw over ?? error
  }
}
