import * as z from 'zod'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { roles, type Operator } from './operator.ts'

export const operatorShape = z.object({
  id: z.string(),
  email: z.string(),
  name: z.string().nullable(),
  role: z.enum(roles),
  appIds: z.array(z.string()).nullable().describe('The only apps this operator may see; null is all'),
})

export function show(runtime: Runtime, operator: Operator): z.infer<typeof operatorShape> {
  return {
    id: operator.publicId,
    email: operator.email,
    name: operator.name ?? null,
    role: operator.role,
    appIds: operator.appIds?.map((id) => runtime.vault.ids.seal('app', id)) ?? null,
  }
}

/** A public id from the input as the row's number. @throws AppError not_found */
export function rowOf(runtime: Runtime, kind: 'op' | 'opt' | 'app', id: string): number {
  const row = runtime.vault.ids.parse(kind, id)
  if (row === undefined) throw new AppError('not_found', 'There is nothing of that id')
  return row
}
