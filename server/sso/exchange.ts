import type { App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import { parse } from '#server/http/answer.ts'
import type { Form } from '#server/http/form.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/session/open.ts'
import { ssoLogin, ssoToken } from './login.ts'

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
/** The app's own token is opaque to us, so it may be called any of these. */
const subjectTypes = new Set([
  ACCESS_TOKEN,
  ...['jwt', 'id_token'].map((name) => ACCESS_TOKEN.replace('access_token', name)),
])

/**
 * ssoLogin in its standard spelling (RFC 8693): the app's token goes in, a session's tokens come out. An unacceptable token is `invalid_request`,
 * as §2.2.2 wants it.
 */
export async function exchangeToken(
  runtime: Runtime,
  app: App,
  form: Form,
  origin: Origin,
): Promise<Record<string, unknown>> {
  const { subject_token: token, subject_token_type: type, requested_token_type: wanted, audience } = form
  if (token === undefined || token === '') throw invalid('subject_token is missing')
  if (!type || !subjectTypes.has(type)) throw invalid(`subject_token_type must be ${[...subjectTypes].join(' or ')}`)
  if (wanted !== undefined && wanted !== ACCESS_TOKEN) throw invalid(`requested_token_type must be ${ACCESS_TOKEN}`)
  if (form['actor_token'] !== undefined) throw invalid('actor_token is not supported')
  if (audience !== undefined && ![app.publicId, app.slug, ...app.settings.audiences].includes(audience))
    throw invalid("audience is not one of this app's audience IDs")
  const login = await ssoLogin(runtime, app, { token: parse(ssoToken, token) }, origin).catch((error: unknown) => {
    throw error instanceof AppError && error.code === 'sso_token_rejected' ? invalid(error.message) : error
  })
  return {
    access_token: login.accessToken,
    issued_token_type: ACCESS_TOKEN,
    token_type: 'Bearer',
    expires_in: login.expiresIn,
    refresh_token: login.refreshToken,
  }
}

const invalid = (message: string) => new AppError('invalid_request', message)
