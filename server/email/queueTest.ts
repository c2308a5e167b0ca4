import type { App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import { recordAudit, type Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import { parseAddress } from './address.ts'
import type { TemplateContent } from './builtin.ts'
import { liquidFault } from './engine.ts'
import { carriesCode, type Locale, type MailKind } from './kinds.ts'
import { addressee } from './queue.ts'
import { renderSoon } from './render.ts'
import { sampleFacts, sampleValues } from './sample.ts'
import { insertEmail } from './store.ts'

/**
 * Sends what is being written to its author, with sample data, through the same outbox as every mail. @returns the row's number
 * @throws AppError invalid_request when it cannot be rendered
 */
export async function queueTest(
  runtime: Runtime,
  actor: Actor,
  test: { app: App; kind: MailKind; locale: Locale; content: TemplateContent; to: string },
): Promise<number> {
  const { app, kind, locale, content } = test
  const at = runtime.now()
  try {
    renderSoon(content, sampleValues(app, kind, locale, at))
  } catch (error) {
    const { part = 'html' } = error as { part?: string }
    throw new AppError('invalid_request', 'This template cannot be rendered yet', {
      errors: [{ path: part, message: liquidFault(error).message }],
    })
  }
  const address = parseAddress(test.to)
  if (!address) throw new AppError('invalid_request', 'Your own address is none that mails can be sent to')
  return runtime.db.transaction(async (tx) => {
    const id = await insertEmail(tx, {
      appId: app.id,
      userId: null,
      kind,
      locale,
      ...addressee(runtime, address, runtime.vault.seal),
      variablesSealed: runtime.vault.seal(JSON.stringify(sampleFacts(kind)), 'emails.variables'),
      draftSealed: runtime.vault.seal(JSON.stringify(content), 'emails.draft'),
      status: 'queued',
      nextAt: at,
      createdAt: at,
      expiresAt: carriesCode(kind) ? new Date(at.getTime() + 600_000) : null,
    })
    await recordAudit(tx, {
      at,
      actor,
      action: 'email_template.test',
      appId: app.id,
      target: { kind: 'app', id: app.id, label: app.name },
      after: { kind, locale },
    })
    return id
  })
}
