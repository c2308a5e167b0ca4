/** Claims of an access token that was verified once (RFC 9068). */
export type AccessClaims = {
  sessionId: number
  exp: number
  jti: string
  aud: string | string[]
  sub: string
  client_id: string
  iat: number
}

const MOST = 20_000

/**
 * JWTs whose signature was checked already, by the token's whole text (in memory only; a hash of it would cost more than the rest of the look-up). It saves the signature check and nothing else: `exp` is
 * compared and the session is looked up on every call. Bounded; the longest unused go first.
 */
export type VerifiedTokens = {
  get(token: string): AccessClaims | undefined
  add(token: string, claims: AccessClaims): void
  clear(): void
}

export function createVerifiedTokens(): VerifiedTokens {
  let young = new Map<string, AccessClaims>()
  let old = new Map<string, AccessClaims>()

  function keep(token: string, claims: AccessClaims): void {
    if (young.size >= MOST / 2) {
      old = young
      young = new Map()
    }
    young.set(token, claims)
  }

  return {
    get(token) {
      const known = young.get(token)
      if (known) return known
      const aged = old.get(token)
      if (aged) keep(token, aged)
      return aged
    },
    add: (token, claims) => keep(token, claims),
    clear() {
      young = new Map()
      old = new Map()
    },
  }
}
