import { decodeJwt, decodeProtectedHeader } from 'jose'
import { audienceOf } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { readOpaque } from '#server/secret/opaque.ts'
import { checkLogoutToken, LOGOUT_TYP } from './checkLogoutToken.ts'
import { nothing, type Inspection } from './inspection.ts'
import { inspectApiKey, inspectOperatorToken } from './inspectSecret.ts'
import { looksLikeJwt } from './jwt.ts'
import { assertKnown } from './refresh.ts'
import { findAccessToken } from './store.ts'
import { liveSession, verifyAccess, type Access } from './verifyAccess.ts'

const kinds = { rt: 'refresh', at: 'opaque', sk: 'apiKey', op: 'operatorToken', oc: 'operatorToken' } as const

/** Takes any token apart: what it says, which check it fails, which session it belongs to. Changes nothing and counts as no activity. */
export async function inspectToken(runtime: Runtime, token: string): Promise<Inspection> {
  const text = token.trim().replace(/^Bearer +/i, '')
  if (text.startsWith('gh_')) return inspectOpaque(runtime, text)
  if (text.split('.').length === 3) return inspectJwt(runtime, text)
  return {
    ...nothing,
    checks: [{ name: 'Form', ok: false, detail: 'Neither a JWT nor a token that begins with gh_' }],
    reason: 'This is no token of any kind we issue',
    code: 'token_invalid',
  }
}

async function inspectJwt(runtime: Runtime, token: string): Promise<Inspection> {
  const header = decoded(() => decodeProtectedHeader(token) as Record<string, unknown>)
  const claims = decoded(() => decodeJwt(token) as Record<string, unknown>)
  if (header?.['typ'] === LOGOUT_TYP && claims) return inspectLogout(runtime, token)
  const known = typeof header?.['kid'] === 'string' ? await runtime.keys.find(header['kid']) : undefined
  const now = runtime.now().getTime() / 1000
  const exp = typeof claims?.['exp'] === 'number' ? claims['exp'] : undefined
  const sessionId = typeof claims?.['sid'] === 'string' ? runtime.vault.ids.parse('ses', claims['sid']) : undefined
  let access: Access | undefined
  const outcome = await attempt(async () => (access = await verifyAccess(runtime, token)))
  const checks = [
    {
      name: 'Form',
      ok: looksLikeJwt(token) && claims !== undefined,
      detail: looksLikeJwt(token) ? 'three parts in base64url' : 'not a compact JWS in its one spelling',
    },
    {
      name: 'Type',
      ok: header?.['typ'] === 'at+jwt',
      detail: `typ is ${say(header?.['typ'])}; an access token has at+jwt`,
    },
    {
      name: 'Key',
      ok: known !== undefined,
      detail: known
        ? `kid ${say(header?.['kid'])} is published`
        : `kid ${say(header?.['kid'])} is not (or no longer) ours`,
    },
    {
      name: 'Issuer',
      ok: claims?.['iss'] === runtime.config.publicUrl,
      detail: `iss is ${say(claims?.['iss'])}, ours is ${runtime.config.publicUrl}`,
    },
    {
      name: 'Audience',
      ok: claims?.['aud'] !== undefined,
      detail: audience(claims?.['aud'], access),
    },
    {
      name: 'Expiry',
      ok: exp !== undefined && now < exp,
      detail:
        exp === undefined ? 'exp is missing' : `${now < exp ? 'until' : 'since'} ${new Date(exp * 1000).toISOString()}`,
    },
    {
      name: 'Signature and session',
      ok: outcome === undefined,
      detail: outcome ? outcome.message : 'the signature holds and the session lives',
    },
  ]
  return {
    kind: 'jwt',
    header,
    claims,
    valid: outcome === undefined,
    reason: outcome?.message,
    code: outcome?.code,
    checks,
    sessionId,
  }
}

/** Who a token is for. Of a token that holds also whether its app's new ones are: a backend that has moved on refuses the others. */
function audience(aud: unknown, access: Access | undefined): string {
  if (aud === undefined) return 'aud is missing'
  const said = [aud].flat().map(say)
  const text = `aud is ${said.join(', ')}`
  if (!access) return text
  const own = [audienceOf(access.app)].flat()
  const gone = said.filter((one) => !own.includes(one))
  return gone.length > 0 ? `${text}; tokens made from now on carry ${own.join(', ')}` : text
}

/** What an app's server was told when a session ended; it opens nothing. */
async function inspectLogout(runtime: Runtime, token: string): Promise<Inspection> {
  const { header, claims, checks } = (await checkLogoutToken(runtime, token, { at: runtime.now() }))!
  const failing = checks.filter(({ ok }) => !ok).map(({ name }) => name)
  const sid = claims['sid']
  return {
    kind: 'logout',
    header,
    claims,
    valid: failing.length === 0,
    reason: failing.length > 0 ? `What does not hold: ${failing.join('; ')}` : undefined,
    code: failing.length > 0 ? 'token_invalid' : undefined,
    checks,
    sessionId: typeof sid === 'string' ? runtime.vault.ids.parse('ses', sid) : undefined,
  }
}

async function inspectOpaque(runtime: Runtime, token: string): Promise<Inspection> {
  const presented = readOpaque(runtime.vault.ids, token)
  if (!presented) {
    return {
      ...nothing,
      reason: 'This token was not made by this installation, or a character of it is missing',
      code: 'token_invalid',
      checks: [{ name: 'Form', ok: false, detail: 'not one of ours' }],
    }
  }
  const kind = kinds[presented.kind]
  const form = { name: 'Form', ok: true, detail: `made by this installation, ${kind}` }
  if (kind === 'apiKey') return inspectApiKey(runtime, token, form)
  if (kind === 'operatorToken') return inspectOperatorToken(runtime, token, form)
  const sessionId = kind === 'refresh' ? presented.row : (await findAccessToken(runtime.db, presented.row))?.sessionId
  const outcome = await attempt(async () => {
    if (kind === 'opaque') return verifyAccess(runtime, token)
    const session = await assertKnown(runtime, presented)
    await liveSession(runtime, session.id)
    if (presented.counter !== session.refreshGeneration)
      throw new AppError('token_invalid', 'This refresh token was replaced by a newer one')
    if (runtime.now() >= session.refreshExpiresAt) throw new AppError('token_expired', 'The refresh token has expired')
    return session
  })
  const checks = [
    form,
    { name: 'Secret, expiry and session', ok: outcome === undefined, detail: outcome ? outcome.message : 'all hold' },
  ]
  return {
    kind,
    header: undefined,
    claims: undefined,
    valid: outcome === undefined,
    reason: outcome?.message,
    code: outcome?.code,
    checks,
    sessionId,
  }
}

/** The refusal of an attempt, or undefined when it succeeds. Failures that are no refusals stay failures. */
async function attempt(work: () => Promise<unknown>): Promise<AppError | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    if (error instanceof AppError && error.status < 500) return error
    throw error
  }
}

function decoded<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    // Not JSON inside: the check called Form says so.
    return undefined
  }
}

const say = (value: unknown): string =>
  value === undefined ? 'missing' : typeof value === 'string' ? value.slice(0, 200) : 'not a text'
