/** Claims of an access token that was verified once (RFC 9068). */
export type AccessClaims = {
  /** What signed it. */
  kid: string
  sessionId: number
  exp: number
  jti: string
  aud: string | string[]
  sub: string
  client_id: string
  iat: number
}
