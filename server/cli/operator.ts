import * as z from 'zod'
import { Failure, print, readSecret, withRuntime, type Output } from './context.ts'

export async function createOperator(
  options: Output & { email: string; role: string; name?: string; passwordStdin?: boolean },
): Promise<void> {
  if (!options.passwordStdin)
    throw new Failure('Give the password on standard input with --password-stdin; it is never taken from an argument')
  const password = readSecret('The password')
  await withRuntime('write', async (runtime) => {
    const [{ createOperator: create, newOperator }, { cliActor }, { parse }] = await Promise.all([
      import('../operator/create.ts'),
      import('../operator/audit.ts'),
      import('../http/answer.ts'),
    ])
    const { email, role, name } = options
    const operator = await create(
      runtime,
      cliActor,
      parse(newOperator, { email, role, password, ...(name !== undefined && { name }) }),
    )
    const { publicId: id } = operator
    print(options, { id, email, role: operator.role }, `Created ${operator.role} ${email} (${id})`)
  })
}

export async function createToken(options: Output & { email: string; name: string }): Promise<void> {
  await withRuntime('write', async (runtime) => {
    const [
      { operatorEmailHash },
      { createOperatorToken, tokenName },
      { cliActor },
      { findOperatorByEmail },
      { parse },
    ] = await Promise.all([
      import('../operator/create.ts'),
      import('../operator/tokens.ts'),
      import('../operator/audit.ts'),
      import('../operator/store.ts'),
      import('../http/answer.ts'),
    ])
    const { name } = parse(z.object({ name: tokenName }), { name: options.name })
    const operator = await findOperatorByEmail(runtime.db, operatorEmailHash(runtime, options.email))
    if (!operator) throw new Failure(`There is no operator ${options.email}; make one with: gatehouse operator create`)
    const { row, token } = await createOperatorToken(runtime, cliActor, { operatorId: operator.id, name })
    const id = runtime.vault.ids.seal('opt', row.id)
    // The token alone on stdout, so that a script can take it.
    if (!options.json) process.stderr.write('Shown once; keep it like a password:\n')
    print(options, { id, name, role: operator.role, token }, token)
  })
}
