import { Failure, printJson, readInput, readSecret, withRuntime } from './context.ts'

/** Prints what a check found, and exits 0 when it holds, else 1. */
async function answer(check: () => Promise<{ valid: boolean }> | { valid: boolean }): Promise<void> {
  let found: { valid: boolean; reason?: string }
  try {
    found = await check()
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    found = { valid: false, reason: error.message }
  }
  printJson(found)
  process.exitCode = found.valid ? 0 : 1
}

type Data = { data: string }
type Moment = { now?: number; maxAge?: number }

const at = ({ now }: Moment) => (now === undefined ? new Date() : new Date(now * 1000))

export function telegram(options: Data & Moment & { botTokenStdin?: boolean }): Promise<void> {
  return answer(async () => {
    if (!options.botTokenStdin)
      throw new Failure(
        'Give the bot token on standard input with --bot-token-stdin; it is never taken from an argument',
      )
    if (options.data === '-') throw new Failure('Standard input holds the bot token; name a file with --data')
    const { explainTelegram } = await import('../telegram/explain.ts')
    const data = readInput(options.data)
    return explainTelegram(data, readSecret('The bot token').trim(), { now: at(options), maxAge: options.maxAge })
  })
}

export function tonProof(options: Data & Moment & { domain?: string[]; payload?: string }): Promise<void> {
  return answer(async () => {
    const { explainTonProof } = await import('../ton/explain.ts')
    const { maxAge, domain: domains, payload } = options
    return explainTonProof(readInput(options.data), { now: at(options), maxAge, domains, payload })
  })
}

export function tonAddress(options: Data): Promise<void> {
  return answer(async () => {
    const { explainTonAddress } = await import('../ton/explain.ts')
    return explainTonAddress(readInput(options.data))
  })
}

export function webhook(options: Data & Moment & { secretStdin?: boolean }): Promise<void> {
  return answer(async () => {
    if (!options.secretStdin)
      throw new Failure(
        'Give the signing secret on standard input with --secret-stdin; it is never taken from an argument',
      )
    if (options.data === '-') throw new Failure('Standard input holds the secret; name a file with --data')
    const { explainSignature, readReceived } = await import('../webhook/explainSignature.ts')
    const received = readReceived(readInput(options.data))
    if (!received) throw new Failure('The file is neither JSON with headers and body, nor an HTTP request as text')
    const secret = readSecret('The signing secret').trim()
    return explainSignature(received, secret, { now: at(options), tolerance: options.maxAge })
  })
}

export function token(text: string): Promise<void> {
  return answer(async () => {
    const given = text === '-' ? readSecret('The token') : text
    return withRuntime('read', async (runtime) => {
      const [{ inspectToken }, { findSessionRow }, { publicSession }, { findByKey }] = await Promise.all([
        import('../token/inspect.ts'),
        import('../session/store.ts'),
        import('../session/session.ts'),
        import('../app/app.ts'),
      ])
      const { sessionId, ...found } = await inspectToken(runtime, given)
      const row = sessionId === undefined ? undefined : await findSessionRow(runtime.db, sessionId)
      const app = row && (await findByKey(runtime, runtime.vault.ids.seal('app', row.appId)))
      if (!row || !app) return found
      const { endedAt, endReason, endedBy } = row
      return { ...found, session: { ...publicSession(runtime, app, row), endedAt, endReason, endedBy } }
    })
  })
}
