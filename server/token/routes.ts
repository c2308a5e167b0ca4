import type { IncomingMessage } from 'node:http'
import { Router } from 'express'
import { authenticateApp, type ApiKeyScope } from '#server/app/apiKeys.ts'
import { findByKey, type App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import type { Handler } from '#server/http/ahead.ts'
import { methodNotAllowed, sendJson } from '#server/http/answer.ts'
import {
  addressOf,
  bearerToken,
  countingRefusals,
  originOf,
  spendCall,
  spendUnknown,
} from '#server/http/authenticate.ts'
import { readForm, type Form } from '#server/http/form.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'
import { KEY_SET_TTL } from './keys.ts'
import { introspect } from './introspect.ts'
import { refresh } from './refresh.ts'
import { revokeToken } from './revokeToken.ts'
import { statusList, STATUS_TTL } from './statusList.ts'
import { tokenInfo } from './tokenInfo.ts'

/** RFC 7662 for apps' servers, which ask with every request of theirs. */
export function introspection(runtime: Runtime): Handler {
  return async (request, response) => {
    const form = await readForm(request)
    const calling = callingApp(runtime, request, form, 'tokens:introspect')
    const app = await countingRefusals(runtime, request, response, calling)
    await spendCall(runtime, app, request, response)
    sendJson(response, await introspect(runtime, app, field(form, 'token')))
  }
}

/** No installation has more sessions than fit into so many lists. */
const MOST_STATUS_LISTS = 1_000_000

const STATUS_LIST_TYPE = 'application/statuslist+jwt'

/** A grant that another domain offers at /oauth/token (RFC 6749 §4.5): the answer, in the RFC's names. */
export type Grant = (runtime: Runtime, app: App, form: Form, origin: Origin) => Promise<Record<string, unknown>>

/** The OAuth endpoints for apps' servers, and the documents that describe them. */
export function tokenRoutes(runtime: Runtime, grants: Record<string, Grant> = {}): Router {
  const router = Router()

  const introspected = introspection(runtime)
  router.post('/oauth/introspect', (request, response) => introspected(request, response, ''))
  router.all('/oauth/introspect', methodNotAllowed('POST'))

  router.post('/oauth/revoke', async (request, response) => {
    const form = await readForm(request)
    const calling = callingApp(runtime, request, form, 'tokens:revoke')
    const app = await countingRefusals(runtime, request, response, calling)
    await spendCall(runtime, app, request, response)
    await revokeToken(runtime, field(form, 'token'), { reason: 'revoked_by_app' }, app)
    response.setHeader('cache-control', 'no-store')
    response.status(200).end()
  })
  router.all('/oauth/revoke', methodNotAllowed('POST'))

  router.post('/oauth/token', async (request, response) => {
    const form = await readForm(request)
    const grant = field(form, 'grant_type')
    const calling = callingApp(runtime, request, form, 'tokens:exchange')
    const app = await countingRefusals(runtime, request, response, calling)
    await spendCall(runtime, app, request, response)
    const other = Object.hasOwn(grants, grant) ? grants[grant] : undefined
    if (other) {
      sendJson(response, await other(runtime, app, form!, originOf(runtime, request)))
      return
    }
    if (grant !== 'refresh_token') {
      sendJson(response, { error: 'unsupported_grant_type', error_description: 'This grant type is not offered' }, 400)
      return
    }
    const { accessToken, expiresIn, refreshToken } = await refresh(runtime, field(form, 'refresh_token'), app)
    sendJson(response, {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: expiresIn,
      ...(refreshToken && { refresh_token: refreshToken }),
    })
  })
  router.all('/oauth/token', methodNotAllowed('POST'))

  router.get('/sso/tokeninfo', async (request, response) => {
    const bearer = request.headers.authorization === undefined ? undefined : bearerToken(request)
    const own = request.headers['x-api-key']
    const asked = request.query['token']
    if (asked !== undefined && typeof asked !== 'string')
      throw new AppError('invalid_request', 'token stands in the address more than once')
    // With the token in the address, the header is free for the app's API key.
    const key = typeof own === 'string' ? own : asked === undefined ? undefined : bearer
    const token = asked ?? bearer ?? bearerToken(request)
    const ip = addressOf(runtime, request)
    await spendUnknown(runtime, request, response)
    sendJson(response, await tokenInfo(runtime, { token: token.slice(0, 10_000), key, ip }))
  })
  router.all('/sso/tokeninfo', methodNotAllowed('GET'))

  const revocations = '/v1/apps/:app/revocations'
  router.get(revocations, async (request, response) => {
    const app = await findByKey(runtime, String(request.params['app']))
    const list = Number(request.query['list'] ?? 0)
    if (!app || !Number.isSafeInteger(list) || list < 0 || list > MOST_STATUS_LISTS)
      throw new AppError('not_found', 'There is no such list')
    if (request.accepts(STATUS_LIST_TYPE) === false)
      throw new AppError('not_acceptable', `There is this list as ${STATUS_LIST_TYPE} only`)
    // §8.4 of the draft: how things stood at another time.
    if (request.query['time'] !== undefined)
      throw new AppError('not_implemented', 'There is the list of now only, and none of another time')
    await spendUnknown(runtime, request, response)
    const token = await statusList(runtime, app, list)
    response.setHeader('content-type', STATUS_LIST_TYPE)
    response.setHeader('cache-control', `public, max-age=${STATUS_TTL}`)
    response.setHeader('access-control-allow-origin', '*')
    response.end(token)
  })
  router.all(revocations, methodNotAllowed('GET'))

  const jwks = '/.well-known/jwks.json'
  router.get(jwks, async (_request, response) => {
    response.setHeader('cache-control', `public, max-age=${KEY_SET_TTL}`)
    response.setHeader('access-control-allow-origin', '*')
    sendJson(response, await runtime.keys.jwks())
  })
  router.all(jwks, methodNotAllowed('GET'))

  const documents = ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']
  router.get(documents, (_request, response) => {
    response.setHeader('cache-control', 'public, max-age=300')
    response.setHeader('access-control-allow-origin', '*')
    sendJson(response, metadata(runtime.config.publicUrl, Object.keys(grants)))
  })
  router.all(documents, methodNotAllowed('GET'))
  return router
}

/** RFC 8414, and what OpenID Connect Discovery asks for on top. */
function metadata(issuer: string, grants: string[]) {
  const auth = ['client_secret_basic', 'client_secret_post']
  return {
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    token_endpoint: `${issuer}/oauth/token`,
    token_endpoint_auth_methods_supported: auth,
    introspection_endpoint: `${issuer}/oauth/introspect`,
    introspection_endpoint_auth_methods_supported: auth,
    revocation_endpoint: `${issuer}/oauth/revoke`,
    revocation_endpoint_auth_methods_supported: auth,
    grant_types_supported: ['refresh_token', ...grants],
    // OpenID Connect Back-Channel Logout 1.0 §2.1; where to is a webhook endpoint of the app.
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
    response_types_supported: [],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['EdDSA'],
    service_documentation: `${issuer}/api/reference`,
  }
}

/** A form field that must be there. @throws AppError invalid_request */
function field(form: Form | undefined, name: string): string {
  if (!form) throw new AppError('invalid_request', 'Send the parameters as application/x-www-form-urlencoded')
  const value = form[name]
  if (!value) throw new AppError('invalid_request', `${name} is missing`)
  return value.slice(0, 10_000)
}

/**
 * RFC 6749 §2.3.1 in its two spellings, or the key as a bearer token; the address counts in any case.
 * @throws AppError invalid_request for more than one way at once (§2.3), and as `authenticateApp`
 */
export async function callingApp(
  runtime: Runtime,
  request: IncomingMessage,
  form: Form | undefined,
  scope: ApiKeyScope,
): Promise<App> {
  const ip = addressOf(runtime, request)
  const { authorization } = request.headers
  const clientId = form?.['client_id']
  if (authorization === undefined)
    return authenticateApp(runtime, { key: form?.['client_secret'], clientId, ip }, scope)
  if (form?.['client_secret'] !== undefined)
    throw new AppError(
      'invalid_request',
      'Send the credentials in the Authorization header or in the body, not in both',
    )
  const [, scheme, value = ''] = /^(Bearer|Basic) +([A-Za-z0-9._~+/=-]{1,1000})$/i.exec(authorization) ?? []
  if (scheme?.toLowerCase() === 'bearer') return authenticateApp(runtime, { key: value, clientId, ip }, scope)
  if (scheme === undefined)
    throw new AppError('invalid_credentials', 'The Authorization header holds neither Basic nor Bearer credentials')
  const [named, key] = basic(value)
  const app = await authenticateApp(runtime, { key, clientId: named, ip }, scope)
  if (clientId !== undefined && clientId !== app.publicId && clientId !== app.slug)
    throw new AppError('invalid_credentials', 'client_id names another app than the Authorization header')
  return app
}

function basic(value: string): [string, string] {
  const [id, ...secret] = Buffer.from(value, 'base64').toString('utf8').split(':')
  try {
    return [decodeURIComponent(id!.replaceAll('+', ' ')), decodeURIComponent(secret.join(':').replaceAll('+', ' '))]
  } catch {
    throw new AppError('invalid_credentials', 'The Basic credentials are not form-encoded')
  }
}
