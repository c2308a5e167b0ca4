import { hash } from 'node:crypto'

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
 * JWTs whose signature was checked already, by SHA-256 of the token. It saves the signature check and nothing else: `exp` is
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
  const key = (token: string) => hash('sha256', token, 'base64')

  function keep(digest: string, claims: AccessClaims): void {
    if (young.size >= MOST / 2) {
      old = young
      young = new Map()
    }
    young.set(digest, claims)
  }

  return {
    get(token) {
      const digest = key(token)
      const known = young.get(digest)
      if (known) return known
      const aged = old.get(digest)
      if (aged) keep(digest, aged)
      return aged
    },
    add: (token, claims) => keep(key(token), claims),
    clear() {
      young = new Map()
      old = new Map()
    },
  }
}
