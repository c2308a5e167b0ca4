import { AppError } from '#server/error.ts'
import { limitKey } from '#server/http/address.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'
import { recordAudit } from './audit.ts'
import { operatorEmailHash } from './create.ts'
import { openOperator, type Operator } from './operator.ts'
import { verifyPassword } from './password.ts'
import { findOperatorByEmail, updateOperator } from './store.ts'
import { COOKIE_TTL_MS, insertToken } from './tokens.ts'

const TRIES = 10
const TRIES_PER_ADDRESS = 50
const LOCKED_S = 900

/**
 * Signs an operator in by e-mail and password. Ten wrong tries lock the address for fifteen minutes, known or not, so that neither the lock nor
 * the time taken tells who exists.
 * @throws AppError invalid_credentials, locked
 */
export async function signInOperator(
  runtime: Runtime,
  input: { email: string; password: string },
  origin: Origin,
): Promise<{ operator: Operator; token: string }> {
  const emailHash = operatorEmailHash(runtime, input.email)
  const key = `operator ${emailHash.toString('base64')}`
  await counted(runtime, `operators from ${limitKey(origin.ip)}`, TRIES_PER_ADDRESS)
  // Counted before the password is looked at, so that tries at once cannot slip past the count.
  await counted(runtime, key, TRIES)
  const row = await findOperatorByEmail(runtime.db, emailHash)
  const right = await verifyPassword(input.password, row?.passwordHash)
  if (!row || !right || row.disabled)
    throw new AppError('invalid_credentials', 'The e-mail address or the password is wrong')
  await runtime.limits.forgive(key, TRIES, LOCKED_S)

  const now = runtime.now()
  const operator = openOperator(runtime, row)
  const { token } = await runtime.db.transaction(async (tx) => {
    await updateOperator(tx, row.id, { lastSignInAt: now })
    await recordAudit(tx, {
      at: now,
      actor: { kind: 'operator', id: row.id, label: operator.email, ip: origin.ip },
      action: 'operator.sign_in',
      target: { kind: 'operator', id: row.id, label: operator.email },
    })
    return insertToken(runtime, tx, {
      operatorId: row.id,
      kind: 'session',
      expiresAt: new Date(now.getTime() + COOKIE_TTL_MS),
      ...origin,
    })
  })
  return { operator, token }
}

async function counted(runtime: Runtime, key: string, tries: number): Promise<void> {
  try {
    await runtime.limits.guess(key, tries, LOCKED_S)
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'rate_limited') throw error
    throw new AppError(
      'locked',
      `Too many wrong passwords; try again in ${Math.ceil((error.retryAfter ?? LOCKED_S) / 60)} minutes`,
      {
        retryAfter: error.retryAfter ?? LOCKED_S,
      },
    )
  }
}
