import { createTRPCClient, httpBatchLink, TRPCClientError } from '@trpc/client'
import type { ConsoleRouter } from '../../server/console/router.ts'
import { createOperator } from '../../server/operator/create.ts'
import { cliActor } from '../../server/operator/audit.ts'
import type { Role } from '../../server/operator/operator.ts'
import { createOperatorToken } from '../../server/operator/tokens.ts'
import type { TestServer } from './server.ts'

export const password = 'correct horse battery staple'

/** An operator of a role with an API token, made as the command line makes one. */
export async function operatorToken(
  server: TestServer,
  role: Role = 'owner',
  email = `${role}@example.com`,
  appIds?: number[],
): Promise<string> {
  const operator = await createOperator(server.runtime, cliActor, { email, password, role, ...(appIds && { appIds }) })
  return (await createOperatorToken(server.runtime, cliActor, { operatorId: operator.id, name: 'test' })).token
}

/** The console's own client, typed as the console is. `credential` is an Authorization or Cookie header. */
export function consoleClient(server: TestServer, credential: Record<string, string> = {}) {
  return createTRPCClient<ConsoleRouter>({ links: [httpBatchLink({ url: `${server.url}/trpc`, headers: credential })] })
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** Our code for a refused procedure, or what it answered when it was not refused. */
export async function refusalCode(attempt: Promise<unknown>): Promise<unknown> {
  try {
    return { answered: await attempt }
  } catch (error) {
    return error instanceof TRPCClientError ? (error.data as { code?: string } | null)?.code : error
  }
}
