import * as z from 'zod'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { recordAudit, type Actor } from './audit.ts'
import { openOperator, roles, type Operator } from './operator.ts'
import { hashPassword, newPassword, verifyPassword } from './password.ts'
import {
  countActiveOwners,
  deleteOperator,
  deleteOperatorSessions,
  findOperator,
  updateOperator,
  type OperatorRow,
} from './store.ts'

export const operatorPatch = z.strictObject({
  name: z.string().trim().min(1).max(100).nullable().optional(),
  role: z.enum(roles).optional(),
  appIds: z.array(z.number().int()).max(1000).nullable().optional(),
  disabled: z.boolean().optional(),
  password: newPassword.optional(),
})
export type OperatorPatch = z.infer<typeof operatorPatch>

/**
 * Changes an operator. There is always an owner who can sign in; whoever is disabled or gets another password is signed out.
 * @throws AppError not_found, conflict
 */
export async function changeOperator(
  runtime: Runtime,
  actor: Actor,
  id: number,
  patch: OperatorPatch,
): Promise<Operator> {
  const passwordHash = patch.password === undefined ? undefined : await hashPassword(patch.password)
  const now = runtime.now()
  return runtime.db.transaction(async (tx) => {
    await tx.lock('operators')
    const row = await findOperator(tx, id)
    if (!row) throw new AppError('not_found', 'There is no such operator')
    const changed = await updateOperator(tx, id, {
      ...(patch.name !== undefined && { name: patch.name }),
      ...(patch.role !== undefined && { role: patch.role }),
      ...(patch.appIds !== undefined && { appIds: patch.appIds === null ? null : JSON.stringify(patch.appIds) }),
      ...(patch.disabled !== undefined && { disabled: patch.disabled }),
      ...(passwordHash !== undefined && { passwordHash }),
    })
    if ((await countActiveOwners(tx)) === 0) throw lastOwner()
    if (patch.disabled || passwordHash !== undefined) await deleteOperatorSessions(tx, id)
    await recordAudit(tx, {
      at: now,
      actor,
      action: 'operator.update',
      target: { kind: 'operator', id, label: openOperator(runtime, row).email },
      before: show(row),
      after: { ...show(changed!), ...(passwordHash !== undefined && { password: 'replaced' }) },
    })
    return openOperator(runtime, changed!)
  })
}

/** Removes an operator with their tokens. @throws AppError not_found, conflict for the last owner */
export async function removeOperator(runtime: Runtime, actor: Actor, id: number): Promise<void> {
  await runtime.db.transaction(async (tx) => {
    await tx.lock('operators')
    const row = await findOperator(tx, id)
    if (!row) throw new AppError('not_found', 'There is no such operator')
    await deleteOperator(tx, id)
    if ((await countActiveOwners(tx)) === 0) throw lastOwner()
    await recordAudit(tx, {
      at: runtime.now(),
      actor,
      action: 'operator.delete',
      target: { kind: 'operator', id, label: openOperator(runtime, row).email },
      before: show(row),
    })
  })
}

/** An operator's own new password; all their other sign-ins end. @throws AppError invalid_credentials, locked */
export async function changePassword(
  runtime: Runtime,
  actor: Actor,
  input: { operatorId: number; tokenId: number; currentPassword: string; newPassword: string },
): Promise<void> {
  const row = await findOperator(runtime.db, input.operatorId)
  await runtime.limits.guess(`password change ${input.operatorId}`, 10, 900)
  if (!row || !(await verifyPassword(input.currentPassword, row.passwordHash))) {
    throw new AppError('invalid_request', 'The current password is wrong', {
      errors: [{ path: 'currentPassword', message: 'is wrong' }],
    })
  }
  const passwordHash = await hashPassword(input.newPassword)
  await runtime.db.transaction(async (tx) => {
    await updateOperator(tx, row.id, { passwordHash })
    await deleteOperatorSessions(tx, row.id, input.tokenId)
    await recordAudit(tx, {
      at: runtime.now(),
      actor,
      action: 'operator.change_password',
      target: { kind: 'operator', id: row.id, label: actor.label },
    })
  })
}

const show = (row: OperatorRow) => ({
  name: row.name,
  role: row.role,
  disabled: row.disabled,
  appIds: row.appIds === null ? 'all' : (JSON.parse(row.appIds) as number[]),
})

const lastOwner = () =>
  new AppError('conflict', 'There must always be an owner who can sign in; make another one first')
