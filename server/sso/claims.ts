import type { Profile } from '#server/identity/proof.ts'

export type ClaimCheck = {
  claim: 'sub' | 'iat' | 'exp' | 'aud' | 'active'
  ok: boolean
  /** Continues a sentence that begins with the claim's name. Holds no value that came from outside while `ok` is false. */
  reason: string
}

export type Verified = { subject: string; profile: Profile; checks: ClaimCheck[] }

type Expected = {
  /** One of these must stand in `aud`; there is no way to do without. */
  audiences: readonly string[]
  /** Seconds the other server's clock may differ. */
  clockSkew: number
  now: Date
}

const MOST_CHARACTERS = 255

/**
 * Judges what a tokenInfoURL says of a token: a claim that is absent has failed, like one that does not hold. The person is known by `sub` alone;
 * name and e-mail only describe them.
 * @returns every check; `subject` only when all of them hold
 */
export function checkClaims(
  claims: Record<string, unknown>,
  expected: Expected,
): Verified | { subject: undefined; checks: ClaimCheck[] } {
  const now = expected.now.getTime() / 1000
  const checks: ClaimCheck[] = [
    { claim: 'sub', ...checkSubject(claims['sub']) },
    { claim: 'iat', ...checkIssued(claims['iat'], now, expected.clockSkew) },
    { claim: 'exp', ...checkExpiry(claims['exp'], now, expected.clockSkew) },
    { claim: 'aud', ...checkAudience(claims['aud'], expected.audiences) },
  ]
  // An address that introspects says so of a dead token, whatever else it says of it (RFC 7662 §2.2).
  if (claims['active'] === false)
    checks.push({ claim: 'active', ...fails('says that the token is not valid any more') })
  if (!checks.every(({ ok }) => ok)) return { subject: undefined, checks }
  return { subject: claims['sub'] as string, profile: readProfile(claims), checks }
}

type Judgement = { ok: boolean; reason: string }
const holds = (reason: string): Judgement => ({ ok: true, reason })
const fails = (reason: string): Judgement => ({ ok: false, reason })

function checkSubject(sub: unknown): Judgement {
  if (sub === undefined || sub === null) return fails('is missing')
  if (typeof sub !== 'string') return fails('is not a text')
  if (sub === '') return fails('is empty')
  if (isLonger(sub, MOST_CHARACTERS)) return fails(`is longer than ${MOST_CHARACTERS} characters`)
  // Half a character would be stored as the same replacement as any other half, and two people become one.
  if (!sub.isWellFormed()) return fails('is not valid Unicode')
  return holds('names the user')
}

/** Whether a text has more than so many characters, each counted once however it is encoded. */
const isLonger = (text: string, most: number): boolean =>
  text.length > 2 * most || (text.length > most && [...text].length > most)

function checkIssued(iat: unknown, now: number, skew: number): Judgement {
  const at = readTime(iat)
  if (typeof at !== 'number') return at
  if (at > now + skew) return fails(`lies ${seconds(at - now)} in the future`)
  return holds(at > now ? 'lies within the clock skew' : `was ${seconds(now - at)} ago`)
}

function checkExpiry(exp: unknown, now: number, skew: number): Judgement {
  const at = readTime(exp)
  if (typeof at !== 'number') return at
  if (at <= now - skew) return fails(`passed ${seconds(now - at)} ago`)
  return holds(at > now ? `is in ${seconds(at - now)}` : 'passed within the clock skew')
}

/** Seconds since the epoch: a number, or a text of digits. */
function readTime(value: unknown): number | Judgement {
  if (value === undefined || value === null) return fails('is missing')
  const time = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  return typeof time === 'number' && Number.isFinite(time) ? time : fails('is not a number of seconds')
}

function checkAudience(aud: unknown, audiences: readonly string[]): Judgement {
  if (audiences.length === 0) return fails('cannot be compared: this app has no audience ID yet')
  if (aud === undefined || aud === null) return fails('is missing')
  const named: unknown[] = Array.isArray(aud) ? aud : [aud]
  if (!named.every((item) => typeof item === 'string')) return fails('is neither a text nor a list of texts')
  const found = audiences.find((audience) => named.includes(audience))
  return found === undefined ? fails("is not one of this app's audience IDs") : holds(`holds ${found}`)
}

/** Name and e-mail, where they are of use; what is odd is left out, since nothing depends on it. */
function readProfile(claims: Record<string, unknown>): Profile {
  const { name, email, email_verified: verified } = claims
  const isEmail = isLine(email) && email.length <= 254 && /^[^\s@]+@[^\s@]+$/.test(email)
  return {
    ...(isLine(name) && name.trim() !== '' && { name: name.trim() }),
    ...(isEmail && { email }),
    ...(isEmail && verified !== undefined && { emailVerified: verified === true || verified === 'true' }),
  }
}

const isLine = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MOST_CHARACTERS && value.isWellFormed() && !/\p{Cc}/u.test(value)

function seconds(count: number): string {
  return count < 120
    ? `${Math.ceil(count)} s`
    : count < 7200
      ? `${Math.floor(count / 60)} min`
      : `${Math.floor(count / 3600)} h`
}
