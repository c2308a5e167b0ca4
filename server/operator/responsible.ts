import type { Reader } from '#server/db/database.ts'
import type { Runtime } from '#server/runtime.ts'
import { openOperator, type Operator } from './operator.ts'
import { listOperators } from './store.ts'

/** Who is told when something of an app needs a hand: owners and admins who may see it and can sign in. */
export async function responsibleFor(runtime: Runtime, db: Reader, appId: number): Promise<Operator[]> {
  const rows = await listOperators(db)
  return rows
    .filter(({ role, disabled }) => !disabled && (role === 'owner' || role === 'admin'))
    .map((row) => openOperator(runtime, row))
    .filter(({ appIds }) => !appIds || appIds.includes(appId))
}
