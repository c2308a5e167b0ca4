import type { IncomingMessage, ServerResponse } from 'node:http'
import type { App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import type { SeenUser } from '#server/identity/publicUser.ts'
import type { Origin } from '#server/origin/origin.ts'
import { touchAccess, verifyAccess, type Access } from '#server/token/verifyAccess.ts'
import { clientAddress, isFromProxy, limitKey, parseNetworks } from './address.ts'
import { setQuota } from './answer.ts'

const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i

/** The token of `Authorization: Bearer …` (RFC 6750 §2.1; the only place a token is taken from). @throws AppError token_invalid */
export function bearerToken(request: IncomingMessage): string {
  const header = request.headers.authorization
  if (header === undefined) throw new AppError('token_invalid', 'Send an access token as Authorization: Bearer …')
  const token = BEARER.exec(header)?.[1]
  if (!token || token.length > 5_000)
    throw new AppError('token_invalid', 'The Authorization header holds no bearer token')
  return token
}

/**
 * Who makes this call, with a live session; the call counts as activity, and against what its address may make.
 * @throws AppError as `verifyAccess`, and rate_limited
 */
export async function authenticate(
  runtime: Runtime,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Access> {
  const access = await verified(runtime, request, response)
  if (runtime.config.rateLimits) await spendCall(runtime, access.app, request, response)
  return touchAccess(runtime, access, runtime.now())
}

async function verified(runtime: Runtime, request: IncomingMessage, response: ServerResponse): Promise<Access> {
  try {
    const access = await verifyAccess(runtime, bearerToken(request))
    if (runtime.traffic.blocksAnybody()) runtime.traffic.refuseBlocked(addressOf(runtime, request), access.app.id)
    return access
  } catch (error) {
    // Somebody may be guessing.
    if (error instanceof AppError && error.code === 'token_invalid')
      runtime.traffic.note({ app: { id: 0, publicId: '' }, method: 'token', ...originOf(runtime, request) }, error.code)
    await spendUnknown(runtime, request, response)
    throw error
  }
}

/** Counts a public call against what its address may make in this app, and says in the headers what is left. @throws AppError rate_limited */
export async function spendCall(
  runtime: Runtime,
  app: App,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const key = limitKey(addressOf(runtime, request))
  setQuota(response, await runtime.limits.call(key, app.settings.rateLimits.callsPerAddress))
}

/** Which app a call is for is known only once its token or key is proved; until then this many calls a minute are an address's. */
const CALLS_BEFORE_APP_IS_KNOWN = 60_000

/** Counts a call of nobody we know, or whose app does not matter. @throws AppError rate_limited */
export async function spendUnknown(
  runtime: Runtime,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!runtime.config.rateLimits) return
  setQuota(response, await runtime.limits.call(limitKey(addressOf(runtime, request)), CALLS_BEFORE_APP_IS_KNOWN))
}

/** Does what proves who calls; a call that is refused there counts as one of nobody we know. @throws AppError as `proof`, and rate_limited */
export async function countingRefusals<T>(
  runtime: Runtime,
  request: IncomingMessage,
  response: ServerResponse,
  proof: Promise<T>,
): Promise<T> {
  try {
    return await proof
  } catch (error) {
    await spendUnknown(runtime, request, response)
    throw error
  }
}

/** The user of a session, as far as its lookup tells. */
export function seenUser({ session, found }: Access): SeenUser {
  return { userId: session.userId, createdAt: found.userCreatedAt, profileMark: found.profileMark }
}

const trustedBy = new WeakMap<Runtime, ReturnType<typeof parseNetworks>>()

/** The caller's address, seen through trusted proxies only. */
export function addressOf(runtime: Runtime, request: IncomingMessage): string {
  let trusted = trustedBy.get(runtime)
  if (!trusted) trustedBy.set(runtime, (trusted = parseNetworks(runtime.config.trustProxy)))
  return clientAddress(request, trusted)
}

export function originOf(runtime: Runtime, request: IncomingMessage): Origin {
  const origin = { ip: addressOf(runtime, request), userAgent: request.headers['user-agent'] }
  const { countryHeader } = runtime.config
  const said = countryHeader === undefined ? undefined : request.headers[countryHeader]
  return typeof said === 'string' && isFromProxy(request, trustedBy.get(runtime)!)
    ? { ...origin, country: said }
    : origin
}
