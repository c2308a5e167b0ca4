import type { App } from '#server/app/app.ts'
import { AppError } from '#server/error.ts'
import type { Form } from '#server/http/form.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'
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
 * as §2.2.2 wants it, and a target that is not this app's is `invalid_target`.
 */
export async function exchangeToken(
  runtime: Runtime,
  app: App,
  form: Form,
  origin: Origin,
): Promise<Record<string, unknown>> {
  const { subject_token: token, subject_token_type: type, requested_token_type: wanted } = form
  if (token === undefined) throw invalid('subject_token is missing')
  if (!type || !subjectTypes.has(type)) throw invalid(`subject_token_type must be ${[...subjectTypes].join(' or ')}`)
  if (wanted !== undefined && wanted !== ACCESS_TOKEN) throw invalid(`requested_token_type must be ${ACCESS_TOKEN}`)
  if (form['actor_token'] !== undefined) throw invalid('actor_token is not supported')
  if (form['actor_token_type'] !== undefined) throw invalid('actor_token_type goes with an actor_token only')
  assertTargets(app, form)
  const read = ssoToken.safeParse(token)
  if (!read.success) throw invalid(`subject_token ${read.error.issues[0]!.message}`)
  const login = await ssoLogin(runtime, app, { token: read.data }, origin).catch((error: unknown) => {
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

/** Every `audience` and `resource` that is asked for has to be one that this app's tokens are for anyway. @throws AppError invalid_target */
function assertTargets(app: App, form: Form): void {
  const own = [app.publicId, app.slug, ...app.settings.audiences]
  for (const name of ['audience', 'resource'])
    for (const target of form[name]?.split('\n') ?? [])
      if (!own.includes(target)) throw new AppError('invalid_target', `${name} is not one of this app's audience IDs`)
}

const invalid = (message: string) => new AppError('invalid_request', message)
