import type { Transaction } from '#server/db/database.ts'
import type { Runtime } from '#server/runtime.ts'
import { openContent, sealContent } from './content.ts'
import { countMail } from './count.ts'
import { isDecoy } from './decoy.ts'
import { deleteEmail, listStaleCodes, updateEmail, type EmailRow } from './store.ts'

const AT_ONCE = 200

/** Takes codes that are over out of the mails that carried them: what nobody needs any more nobody can steal. Returns how many. */
export async function wipeCodes(runtime: Runtime): Promise<number> {
  const now = runtime.now()
  const stale = await listStaleCodes(runtime.db, now, AT_ONCE)
  if (stale.length === 0) return 0
  await runtime.db.transaction(async (tx) => {
    for (const row of stale)
      if (isDecoy(runtime, row)) await deleteEmail(tx, row.id)
      else await updateEmail(tx, row.id, await wiped(runtime, tx, row, now))
  })
  for (const row of stale)
    if (row.status === 'queued' && !isDecoy(runtime, row)) countMail(runtime, row.appId, 'expired')
  return stale.length
}

async function wiped(runtime: Runtime, tx: Transaction, row: EmailRow, now: Date): Promise<Partial<EmailRow>> {
  const content = row.contentSealed && (await openContent(runtime, tx, row.contentSealed))
  return {
    wipedAt: now,
    variablesSealed: null,
    ...(content && {
      contentSealed: await sealContent(runtime, tx, row.userId, {
        ...content,
        letter: { ...content.letter, ...content.coveredParts },
      }),
    }),
    ...(row.status === 'queued' && {
      status: 'expired' as const,
      reason: 'code_over',
      detail: 'Its code was over before it could be sent',
      nextAt: null,
      finishedAt: now,
    }),
  }
}
