import type { IncomingMessage } from 'node:http'
import { toAppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Login } from '#server/session/signIn.ts'
import type { Method, Try } from './try.ts'

/** The header that brings a solved challenge. */
const SOLUTION = 'gatehouse-challenge'

/**
 * Runs one try at a way in: not at all where the watch stops it, and with its outcome counted. Everything that takes a proof or hands out a
 * nonce goes through here.
 * @throws AppError what `work` throws, and forbidden, rate_limited, challenge_required, login_expired
 */
export async function attempt<T>(
  runtime: Runtime,
  input: Omit<Try, 'solution' | 'method'> & { method: Method; request: IncomingMessage },
  work: () => Promise<T>,
): Promise<T> {
  const { traffic, figures } = runtime
  const { request, ...rest } = input
  const header = request.headers[SOLUTION]
  const tried: Try = { ...rest, solution: typeof header === 'string' ? header : undefined }
  const name = input.method === 'nonce' ? 'nonce' : `signin.${input.method}`
  try {
    await traffic.admit(tried)
    const result = await work()
    traffic.note(tried, 'ok', (result as { user?: Login['user'] } | undefined)?.user?.id)
    figures.count(input.app.id, `${name}.ok`)
    return result
  } catch (error) {
    const { code } = toAppError(error)
    traffic.note(tried, code)
    figures.count(input.app.id, `${name}.${code}`)
    throw error
  }
}
