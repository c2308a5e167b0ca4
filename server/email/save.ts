import type { App } from '#server/app/app.ts'
import { isUniqueViolation, type Transaction } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import { recordAudit, type Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import type { TemplateContent } from './builtin.ts'
import { checkTemplate } from './check.ts'
import type { Locale, MailKind } from './kinds.ts'
import { senderOf } from './sender.ts'
import {
  findTemplate,
  findVersion,
  insertTemplate,
  insertVersion,
  listVersions,
  updateTemplate,
  type TemplateRow,
} from './templateStore.ts'

type Which = { app: App; kind: MailKind; locale: Locale }

const conflict = () =>
  new AppError('conflict', 'Somebody changed this template meanwhile; load it again and repeat your change')

/**
 * Saves what was written: as a draft, which is sent to nobody, or published, if it passes the checks. `revision` is that of the template the
 * author saw, 0 when there was none; without it nobody looks whether it is another by now.
 * @throws AppError invalid_request with every fault and its place, conflict
 */
export async function saveTemplate(
  runtime: Runtime,
  actor: Actor,
  which: Which,
  input: { content: TemplateContent; publish: boolean; revision?: number | undefined },
): Promise<TemplateRow> {
  if (input.publish) assertHolds(runtime, which, input.content)
  return change(runtime, actor, which, input.revision, input.publish ? 'publish' : 'draft', async (tx, row) => {
    if (!input.publish) return { draft: JSON.stringify(input.content) }
    return { draft: null, published: await publish(runtime, tx, actor, row, input.content) }
  })
}

/** Publishes an earlier version again, as a new one. @throws AppError not_found, invalid_request, conflict */
export async function restoreVersion(
  runtime: Runtime,
  actor: Actor,
  which: Which,
  input: { number: number; revision?: number | undefined },
): Promise<TemplateRow> {
  return change(runtime, actor, which, input.revision, 'restore', async (tx, row) => {
    const version = await findVersion(tx, row.id, input.number)
    if (!version) throw new AppError('not_found', 'There is no such version')
    const content = JSON.parse(version.content) as TemplateContent
    assertHolds(runtime, which, content)
    return { draft: null, published: await publish(runtime, tx, actor, row, content, input.number) }
  })
}

/** Goes back to the built-in mail; the versions stay and can be restored. @throws AppError not_found */
export async function resetTemplate(runtime: Runtime, actor: Actor, which: Which): Promise<void> {
  const { app, kind, locale } = which
  const row = await findTemplate(runtime.db, { appId: app.id, kind, locale })
  if (!row) throw new AppError('not_found', 'This mail is the built-in one already')
  await change(runtime, actor, which, row.revision, 'reset', () => Promise.resolve({ draft: null, published: null }))
}

async function change(
  runtime: Runtime,
  actor: Actor,
  { app, kind, locale }: Which,
  revision: number | undefined,
  act: 'draft' | 'publish' | 'restore' | 'reset',
  work: (tx: Transaction, row: TemplateRow) => Promise<Pick<Partial<TemplateRow>, 'draft' | 'published'>>,
): Promise<TemplateRow> {
  const at = runtime.now()
  const key = { appId: app.id, kind, locale }
  const by = { updatedAt: at, updatedBy: actor.label }
  try {
    return await runtime.db.transaction(async (tx) => {
      const found = await findTemplate(tx, key)
      if (revision !== undefined && (found?.revision ?? 0) !== revision) throw conflict()
      const row = found ?? (await insertTemplate(tx, { ...key, ...by, revision: 0, published: null, draft: null }))
      const after = await updateTemplate(tx, row, { ...by, ...(await work(tx, row)) })
      if (!after) throw conflict()
      await recordAudit(tx, {
        at,
        actor,
        action: `email_template.${act}`,
        appId: app.id,
        target: { kind: 'app', id: app.id, label: app.name },
        before: { kind, locale, published: row.published },
        after: { kind, locale, published: after.published, draft: after.draft !== null },
      })
      return after
    })
  } catch (error) {
    // Two who begin the same template at once.
    if (isUniqueViolation(error)) throw conflict()
    throw error
  }
}

async function publish(
  runtime: Runtime,
  tx: Transaction,
  actor: Actor,
  row: TemplateRow,
  content: TemplateContent,
  restoredFrom: number | null = null,
): Promise<number> {
  const [last] = await listVersions(tx, row.id, 1)
  const number = (last?.number ?? 0) + 1
  await insertVersion(tx, {
    templateId: row.id,
    number,
    content: JSON.stringify(content),
    createdAt: runtime.now(),
    createdBy: actor.label,
    restoredFrom,
  })
  return number
}

function assertHolds(runtime: Runtime, { app, kind, locale }: Which, content: TemplateContent): void {
  const about = { app, kind, locale, at: runtime.now(), sender: senderOf(runtime, app) }
  const faults = checkTemplate(content, about).findings.filter(({ level }) => level === 'error')
  if (faults.length === 0) return
  throw new AppError('invalid_request', 'This template does not hold yet; it can be kept as a draft', {
    errors: faults.map(({ part, line, column, message }) => ({
      path: line === undefined ? part : `${part}:${line}:${column}`,
      message,
    })),
  })
}
