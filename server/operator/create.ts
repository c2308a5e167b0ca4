import * as z from 'zod'
import { isUniqueViolation, type Transaction } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { recordAudit, type Actor } from './audit.ts'
import { openOperator, roles, type Operator } from './operator.ts'
import { hashPassword, newPassword } from './password.ts'
import { insertOperator } from './store.ts'

export const newOperator = z.strictObject({
  email: z.email().max(254),
  password: newPassword,
  role: z.enum(roles),
  name: z.string().trim().min(1).max(100).optional(),
  /** Row numbers of the only apps this operator may see; left out means all. */
  appIds: z.array(z.number().int()).max(1000).optional(),
})
export type NewOperator = z.infer<typeof newOperator>

/** The key by which an operator's address is found, whatever its spelling in capitals. */
export const operatorEmailHash = (runtime: Runtime, email: string): Buffer =>
  runtime.vault.hash(email.trim().toLowerCase(), 'operators.email')

/** Makes an operator. @throws AppError conflict when the address is taken */
export async function createOperator(
  runtime: Runtime,
  actor: Actor | 'self',
  input: NewOperator,
  also?: (tx: Transaction) => Promise<void>,
): Promise<Operator> {
  const passwordHash = await hashPassword(input.password)
  const email = input.email.trim()
  const now = runtime.now()
  try {
    return await runtime.db.transaction(async (tx) => {
      await also?.(tx)
      const row = await insertOperator(tx, {
        emailSealed: runtime.vault.seal(email, 'operators.email'),
        emailHash: operatorEmailHash(runtime, email),
        name: input.name ?? null,
        passwordHash,
        role: input.role,
        appIds: input.appIds ? JSON.stringify(input.appIds) : null,
        createdAt: now,
      })
      const operator = openOperator(runtime, row)
      await recordAudit(tx, {
        at: now,
        actor: actor === 'self' ? { kind: 'operator', id: row.id, label: email, ip: null } : actor,
        action: 'operator.create',
        target: { kind: 'operator', id: row.id, label: email },
        after: { email, name: operator.name, role: operator.role, appIds: operator.appIds ?? 'all' },
      })
      return operator
    })
  } catch (error) {
    if (!isUniqueViolation(error)) throw error
    throw new AppError('conflict', 'There is an operator with this e-mail address already', {
      errors: [{ path: 'email', message: 'is taken' }],
    })
  }
}
