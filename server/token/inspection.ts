export type TokenKind = 'jwt' | 'opaque' | 'refresh' | 'logout' | 'apiKey' | 'operatorToken' | 'unknown'

export type Inspection = {
  kind: TokenKind
  header: Record<string, unknown> | undefined
  claims: Record<string, unknown> | undefined
  valid: boolean
  /** Why it is refused, in the words its bearer reads. */
  reason: string | undefined
  code: string | undefined
  checks: Check[]
  /** The row of the session it belongs to, live or not. */
  sessionId: number | undefined
  /** The app that a key belongs to, of whose kind there is no session. */
  appId?: number
}

/** One thing that was looked at. */
export type Check = { name: string; ok: boolean; detail: string }

/** What is known of a text before it is looked at. */
export const nothing = {
  kind: 'unknown' as TokenKind,
  header: undefined,
  claims: undefined,
  valid: false,
  sessionId: undefined,
}
