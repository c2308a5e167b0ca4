import { recordAudit, type Actor } from '#server/operator/audit.ts'
import { joinLedger } from '#server/personal/ledger.ts'
import { listThere } from '#server/personal/store.ts'
import type { Runtime } from '#server/runtime.ts'
import { eraseUser } from './erase.ts'

const AT_ONCE = 500

/**
 * Erases again whoever was erased and is there all the same, because the database is a backup from before it, in whatever way it was put back. Done at
 * every start and by `restore`, before anybody is served. Their apps are told again. Returns how many it was.
 */
export async function eraseAgain(runtime: Runtime, actor: Actor): Promise<number> {
  const erased = await joinLedger(runtime)
  let count = 0
  for (let from = 0; from < erased.length; from += AT_ONCE) {
    const some = erased.slice(from, from + AT_ONCE)
    const there = await listThere(
      runtime.db,
      some.map(({ id }) => id),
    )
    for (const { id, appId, createdAt } of there) {
      // A number alone could by now be somebody else's, where a database was put back by other means than ours.
      if (!some.some((row) => row.id === id && row.createdAt.getTime() === createdAt.getTime())) continue
      if (await again(runtime, actor, id, appId)) count++
    }
  }
  if (count > 0) runtime.log.warn({ count }, 'erased people again whom an older database had brought back')
  return count
}

/** The same for people in a backup whose keys were destroyed since: nobody can read any more who they were. */
export async function eraseKeyless(runtime: Runtime, actor: Actor, ids: number[]): Promise<number> {
  let count = 0
  for (let from = 0; from < ids.length; from += AT_ONCE)
    for (const { id, appId } of await listThere(runtime.db, ids.slice(from, from + AT_ONCE)))
      if (await again(runtime, actor, id, appId)) count++
  return count
}

function again(runtime: Runtime, actor: Actor, id: number, appId: number): Promise<boolean> {
  const entry = {
    at: runtime.now(),
    actor,
    action: 'user.erase',
    appId,
    target: { kind: 'user' as const, id },
    after: { again: 'The database is from before this person was erased' },
  }
  return eraseUser(runtime, id, (tx) => recordAudit(tx, entry))
}
