import type { IncomingMessage } from 'node:http'
import { toAppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Login } from '#server/session/signIn.ts'
import { methods, type Method, type Try } from './try.ts'

/** The header that brings a solved challenge. */
const SOLUTION = 'gatehouse-challenge'

/** What each way counts as. Spelled once: a name that is put together anew has to be hashed anew. */
const names = Object.fromEntries(
  methods.map((method) => {
    const name = method === 'nonce' ? 'nonce' : `signin.${method}`
    return [method, { name, ok: `${name}.ok` }]
  }),
) as Record<Method, { name: string; ok: string }>

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
  const { ok, name } = names[input.method]
  try {
    const held = traffic.admit(tried)
    if (held) await held
    const result = await work()
    traffic.note(tried, 'ok', (result as { user?: Login['user'] } | undefined)?.user?.id)
    figures.count(input.app.id, ok)
    return result
  } catch (error) {
    const { code } = toAppError(error)
    traffic.note(tried, code)
    figures.count(input.app.id, `${name}.${code}`)
    throw error
  }
}
