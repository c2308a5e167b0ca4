/**
 * Every refusal Gatehouse can express: code → [HTTP status, tRPC code, RFC 6749 §5.2 error]. The code is public contract; the message
 * that goes with it is for people.
 */
export const refusals = {
  invalid_request: [400, 'BAD_REQUEST', 'invalid_request'],
  /** RFC 8693 §2.2.2 */
  invalid_target: [400, 'BAD_REQUEST', 'invalid_target'],
  profile_not_owned: [400, 'BAD_REQUEST', 'invalid_request'],
  code_invalid: [400, 'BAD_REQUEST', 'invalid_grant'],
  token_expired: [401, 'UNAUTHORIZED', 'invalid_grant'],
  token_invalid: [401, 'UNAUTHORIZED', 'invalid_grant'],
  session_revoked: [401, 'UNAUTHORIZED', 'invalid_grant'],
  session_expired: [401, 'UNAUTHORIZED', 'invalid_grant'],
  invalid_signature: [401, 'UNAUTHORIZED', 'invalid_grant'],
  nonce_invalid: [401, 'UNAUTHORIZED', 'invalid_grant'],
  login_expired: [401, 'UNAUTHORIZED', 'invalid_grant'],
  sso_token_rejected: [401, 'UNAUTHORIZED', 'invalid_grant'],
  invalid_credentials: [401, 'UNAUTHORIZED', 'invalid_client'],
  forbidden: [403, 'FORBIDDEN', 'unauthorized_client'],
  ip_not_allowed: [403, 'FORBIDDEN', 'unauthorized_client'],
  app_disabled: [403, 'FORBIDDEN', 'unauthorized_client'],
  user_blocked: [403, 'FORBIDDEN', 'invalid_grant'],
  signature_wrong: [403, 'FORBIDDEN', 'invalid_grant'],
  not_found: [404, 'NOT_FOUND', 'invalid_request'],
  method_not_allowed: [405, 'METHOD_NOT_SUPPORTED', 'invalid_request'],
  not_acceptable: [406, 'BAD_REQUEST', 'invalid_request'],
  conflict: [409, 'CONFLICT', 'invalid_request'],
  session_limit_reached: [409, 'CONFLICT', 'invalid_grant'],
  gone: [410, 'NOT_FOUND', 'invalid_request'],
  payload_too_large: [413, 'PAYLOAD_TOO_LARGE', 'invalid_request'],
  unsupported_media_type: [415, 'UNSUPPORTED_MEDIA_TYPE', 'invalid_request'],
  idempotency_mismatch: [422, 'UNPROCESSABLE_CONTENT', 'invalid_request'],
  locked: [423, 'FORBIDDEN', 'invalid_grant'],
  challenge_required: [428, 'PRECONDITION_REQUIRED', 'invalid_request'],
  rate_limited: [429, 'TOO_MANY_REQUESTS', 'invalid_request'],
  server_error: [500, 'INTERNAL_SERVER_ERROR', 'server_error'],
  not_implemented: [501, 'NOT_IMPLEMENTED', 'invalid_request'],
  sso_upstream_failed: [502, 'BAD_GATEWAY', 'server_error'],
  sso_upstream_unavailable: [503, 'SERVICE_UNAVAILABLE', 'temporarily_unavailable'],
  chain_not_configured: [503, 'SERVICE_UNAVAILABLE', 'temporarily_unavailable'],
  chain_unavailable: [503, 'SERVICE_UNAVAILABLE', 'temporarily_unavailable'],
  unavailable: [503, 'SERVICE_UNAVAILABLE', 'temporarily_unavailable'],
  sso_upstream_timeout: [504, 'GATEWAY_TIMEOUT', 'temporarily_unavailable'],
} as const satisfies Record<string, readonly [status: number, trpc: string, oauth: string]>

export type ErrorCode = keyof typeof refusals

export type FieldError = { path: string; message: string }

type Extras = {
  /** Logged, never answered. */
  cause?: unknown
  /** What is wrong with which field of the input. */
  errors?: FieldError[]
  /** Seconds after which a new try makes sense. */
  retryAfter?: number
  /** More public members of the answer, such as why a session ended. */
  details?: Record<string, unknown>
}

/** A refusal: `code` from the table, `message` for people, `cause` for the log only. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly errors: FieldError[] | undefined
  readonly retryAfter: number | undefined
  readonly details: Record<string, unknown> | undefined

  constructor(code: ErrorCode, message: string, extras: Extras = {}) {
    super(message, 'cause' in extras ? { cause: extras.cause } : undefined)
    this.code = code
    this.errors = extras.errors
    this.retryAfter = extras.retryAfter
    this.details = extras.details
  }

  get status(): number {
    return refusals[this.code][0]
  }
}

/** Any thrown thing as a refusal: what neither is one nor was caused by one becomes `server_error`, with the thing itself as cause for the log. */
export function toAppError(error: unknown): AppError {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof AppError) return at
  return new AppError('server_error', 'Something went wrong on our side', { cause: error })
}
