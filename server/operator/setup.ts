import { randomBytes, timingSafeEqual } from 'node:crypto'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { hashSecret } from '#server/secret/opaque.ts'
import { createOperator, type NewOperator } from './create.ts'
import type { Operator } from './operator.ts'
import { countOperators, deleteFact, getFact, setFact } from './store.ts'

const FACT = 'setup_token_hash'

/** The one-time link with which the first owner is made, new on each start; undefined once an operator exists. */
export async function setupLink(runtime: Runtime): Promise<string | undefined> {
  if (!(await needsSetup(runtime))) return undefined
  const token = randomBytes(32).toString('base64url')
  const hash = hashSecret(Buffer.from(token)).toString('base64')
  await runtime.db.transaction((tx) => setFact(tx, FACT, hash))
  return `${runtime.config.publicUrl}/console/setup?token=${token}`
}

export async function needsSetup(runtime: Runtime): Promise<boolean> {
  return (await countOperators(runtime.db)) === 0
}

/** Makes the first owner. The link works once, and not at all when anybody was quicker. @throws AppError gone, invalid_credentials */
export function completeSetup(
  runtime: Runtime,
  input: Omit<NewOperator, 'role' | 'appIds'> & { token: string },
): Promise<Operator> {
  const { token, ...owner } = input
  return createOperator(runtime, 'self', { ...owner, role: 'owner' }, async (tx) => {
    await tx.lock('setup')
    if ((await countOperators(tx)) > 0) throw new AppError('gone', 'Gatehouse is set up already; sign in instead')
    const expected = Buffer.from((await getFact(tx, FACT)) ?? '', 'base64')
    const presented = hashSecret(Buffer.from(token))
    if (expected.length !== presented.length || !timingSafeEqual(expected, presented)) {
      throw new AppError(
        'invalid_credentials',
        'This set-up link is not (or no longer) valid; the newest one is in the output of the last start',
      )
    }
    await deleteFact(tx, FACT)
  })
}
