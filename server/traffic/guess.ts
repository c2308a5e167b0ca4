import type { App } from '#server/app/app.ts'
import { toAppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Try } from './try.ts'

/** What is answered to who does not know it, and to who has tried too often. */
const WRONG = new Set(['code_invalid', 'signature_wrong', 'locked'])

/**
 * Runs one try at a mailed code or a signature: not at all from an address that guesses, and noted where it was wrong. That one person's secret is tried a
 * few times only is not this one's work (signature/, identity/); this sees who goes through many accounts.
 * @throws AppError what `work` throws, rate_limited, challenge_required
 */
export async function guess<T>(
  { traffic }: Runtime,
  { app, session }: { app: App; session: { userId: number } },
  origin: { ip: string; userAgent: string | undefined },
  work: () => Promise<T>,
): Promise<T> {
  const tried: Try = { app, method: 'code', ...origin, claim: String(session.userId) }
  await traffic.admit(tried)
  try {
    return await work()
  } catch (error) {
    const { code } = toAppError(error)
    if (WRONG.has(code)) traffic.note(tried, code)
    throw error
  }
}
