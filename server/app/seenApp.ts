import { AppError } from '#server/error.ts'
import { assertSees, type Operator } from '#server/operator/operator.ts'
import type { Runtime } from '#server/runtime.ts'
import { appAt, type App } from './app.ts'
import { findApp } from './store.ts'

/** The app an id names, if this operator may see it; one that is switched off too. @throws AppError not_found */
export async function seenApp(runtime: Runtime, operator: Operator, id: string): Promise<App> {
  const number = runtime.vault.ids.parse('app', id)
  const row = number === undefined ? undefined : await findApp(runtime.db, number)
  if (!row) throw new AppError('not_found', 'There is no such app')
  assertSees(operator, row.id)
  return (await appAt(runtime, row.id, row.version))!
}
