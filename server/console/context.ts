import type { Request, Response } from 'express'
import { AppError } from '#server/error.ts'
import { originOf, spendUnknown } from '#server/http/authenticate.ts'
import { COOKIE_TTL_MS, operatorOfToken } from '#server/operator/tokens.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Context } from './trpc.ts'

const LOCAL = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * `__Host-` wants https, or a host that browsers count as safe. Behind any other plain-http address the same cookie goes without the
 * prefix, and the console shows a warning.
 */
export function cookieOf(publicUrl: string): { name: string; attributes: string } {
  const { protocol, hostname } = new URL(publicUrl)
  const secure = protocol === 'https:' || LOCAL.has(hostname)
  return {
    name: secure ? '__Host-gatehouse' : 'gatehouse',
    attributes: `Path=/; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`,
  }
}

/**
 * Who calls a procedure, and from where. A cookie counts only for requests that our own pages send: it is the one credential a browser
 * adds by itself.
 * @throws AppError forbidden
 */
export async function createContext(runtime: Runtime, request: Request, response: Response): Promise<Context> {
  const { name, attributes } = cookieOf(runtime.config.publicUrl)
  const bearer = /^Bearer (gh_op_[\w-]+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const cookie = bearer ? undefined : readCookie(request.headers.cookie, name)
  if (!bearer && request.method !== 'GET') assertOwnPage(runtime, request)
  const found = bearer
    ? await operatorOfToken(runtime, bearer, 'op')
    : cookie
      ? await operatorOfToken(runtime, cookie, 'oc')
      : undefined
  // Somebody may be guessing, and each guess is looked up.
  if (!found && (bearer || cookie)) await spendUnknown(runtime, request, response)
  return {
    runtime,
    origin: originOf(runtime, request),
    operator: found?.operator,
    tokenId: found?.tokenId,
    setCookie(token) {
      const age = token === undefined ? 0 : COOKIE_TTL_MS / 1000
      response.append('set-cookie', `${name}=${token ?? ''}; ${attributes}; Max-Age=${age}`)
    },
  }
}

/** Browsers say where a request comes from, and cannot be made to lie about it. What says nothing is no browser's cross-site request. */
function assertOwnPage(runtime: Runtime, request: Request): void {
  const { origin } = request.headers
  const site = request.headers['sec-fetch-site']
  const own =
    origin === undefined || origin === new URL(runtime.config.publicUrl).origin || isLocalTwin(runtime, request, origin)
  if (!own || (site !== undefined && site !== 'same-origin' && site !== 'none')) {
    throw new AppError(
      'forbidden',
      `This request comes from ${String(origin ?? site).slice(0, 200)}; the console answers only to ${runtime.config.publicUrl}`,
    )
  }
}

/** On the own machine localhost and 127.0.0.1 are one place: the page may be open under either, if it was served by us under that name. */
function isLocalTwin(runtime: Runtime, request: Request, origin: string): boolean {
  if (!URL.canParse(origin)) return false
  const page = new URL(origin)
  return (
    LOCAL.has(page.hostname) &&
    LOCAL.has(new URL(runtime.config.publicUrl).hostname) &&
    page.host === request.headers.host
  )
}

function readCookie(header: string | undefined, name: string): string | undefined {
  const values = (header ?? '').split(/; */).filter((pair) => pair.startsWith(`${name}=`))
  // Two cookies of one name are somebody's trick; neither counts.
  return values.length === 1 ? values[0]!.slice(name.length + 1) : undefined
}
