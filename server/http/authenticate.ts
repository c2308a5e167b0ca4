import type { IncomingMessage } from 'node:http'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/session/open.ts'
import { touchAccess, verifyAccess, type Access } from '#server/token/verifyAccess.ts'
import { clientAddress, parseNetworks } from './address.ts'

const BEARER = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i

/** The token of `Authorization: Bearer …` (RFC 6750 §2.1; the only place a token is taken from). @throws AppError token_invalid */
export function bearerToken(request: IncomingMessage): string {
  const header = request.headers.authorization
  if (header === undefined) throw new AppError('token_invalid', 'Send an access token as Authorization: Bearer …')
  const token = BEARER.exec(header)?.[1]
  if (!token || token.length > 5_000)
    throw new AppError('token_invalid', 'The Authorization header holds no bearer token')
  return token
}

/** Who makes this call, with a live session; the call counts as activity. @throws AppError as `verifyAccess` */
export async function authenticate(runtime: Runtime, request: IncomingMessage): Promise<Access> {
  const access = await verifyAccess(runtime, bearerToken(request)).catch((error: unknown) => {
    noteBadToken(runtime, request, error)
    throw error
  })
  runtime.traffic.refuseBlocked(addressOf(runtime, request), access.app.id)
  return touchAccess(runtime, access, runtime.now())
}

/** Somebody may be guessing. */
function noteBadToken(runtime: Runtime, request: IncomingMessage, error: unknown): void {
  if (!(error instanceof AppError) || error.code !== 'token_invalid') return
  const origin = originOf(runtime, request)
  runtime.traffic.note({ app: { id: 0, publicId: '' }, method: 'token', ...origin }, error.code)
}

const trustedBy = new WeakMap<Runtime, ReturnType<typeof parseNetworks>>()

/** The caller's address, seen through trusted proxies only. */
export function addressOf(runtime: Runtime, request: IncomingMessage): string {
  let trusted = trustedBy.get(runtime)
  if (!trusted) trustedBy.set(runtime, (trusted = parseNetworks(runtime.config.trustProxy)))
  return clientAddress(request, trusted)
}

export function originOf(runtime: Runtime, request: IncomingMessage): Origin {
  return { ip: addressOf(runtime, request), userAgent: request.headers['user-agent'] }
}
