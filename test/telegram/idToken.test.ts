import { createLocalJWKSet, exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type JWTPayload } from 'jose'
import { describe, expect, test } from 'vitest'
import { verifyIdToken } from '#server/telegram/idToken.ts'
import { mutate } from '../support/mutate.ts'
import { refusalOf } from '../support/refusal.ts'

const botId = '7342037359'
const iat = 1_760_000_000
const now = new Date((iat + 30) * 1000)
const claims = {
  iss: 'https://oauth.telegram.org',
  aud: botId as unknown,
  sub: 'opaque-3f1c',
  iat,
  exp: iat + 3600,
  id: 279058397 as unknown,
  name: 'Ada Lovelace',
  given_name: 'Ada',
  family_name: 'Lovelace',
  preferred_username: 'ada',
  picture: 'https://t.me/i/userpic/320/ada.jpg',
  phone_number: '+15550100',
  phone_number_verified: true as unknown,
}

const algorithms = ['RS256', 'ES256', 'EdDSA'] as const
const pairs = await Promise.all(algorithms.map((alg) => generateKeyPair(alg, { extractable: true })))
const keys = await Promise.all(
  pairs.map(async ({ publicKey }, at) => ({
    ...(await exportJWK(publicKey)),
    kid: algorithms[at],
    alg: algorithms[at],
  })),
)
const jwks = createLocalJWKSet({ keys: keys as never })

function sign(changes: Record<string, unknown> = {}, alg: (typeof algorithms)[number] = 'RS256'): Promise<string> {
  const payload = Object.fromEntries(
    Object.entries({ ...claims, ...changes }).filter(([, value]) => value !== undefined),
  )
  return new SignJWT(payload as JWTPayload)
    .setProtectedHeader({ alg, kid: alg })
    .sign((pairs[algorithms.indexOf(alg)] as (typeof pairs)[number]).privateKey)
}

const options = { botId, jwks, now }
const outcome = async (changes: Record<string, unknown>, more = {}) =>
  refusalOf(verifyIdToken(await sign(changes), { ...options, ...more }))

describe('an ID token of Telegram', () => {
  test.each(algorithms)('signed with %s yields the person', async (alg) => {
    expect(await verifyIdToken(await sign({}, alg), options)).toEqual({
      id: '279058397',
      subject: 'opaque-3f1c',
      issuedAt: new Date(iat * 1000),
      expiresAt: new Date((iat + 3600) * 1000),
      name: 'Ada Lovelace',
      firstName: 'Ada',
      lastName: 'Lovelace',
      username: 'ada',
      photoUrl: 'https://t.me/i/userpic/320/ada.jpg',
      phoneNumber: '+15550100',
    })
  })

  test.each([[Number(botId)], [botId], [['other', botId]], [[Number(botId)]]])(
    'for the audience %j is accepted',
    async (aud) => {
      expect(await outcome({ aud })).toBeUndefined()
    },
  )

  test.each([['7342037358'], [''], [[]], [[[botId]]], [{ [botId]: 1 }], [`${botId} `], [undefined], [null]])(
    'for the audience %j is refused',
    async (aud) => {
      expect(await outcome({ aud })).toBe('invalid_signature')
    },
  )

  test.each([
    [{ iss: 'https://oauth.telegram.org/' }, 'invalid_signature'],
    [{ iss: undefined }, 'invalid_signature'],
    [{ exp: undefined }, 'invalid_signature'],
    [{ iat: undefined }, 'invalid_signature'],
    [{ exp: `${iat + 3600}` }, 'invalid_signature'],
    [{ iat: `${iat}` }, 'invalid_signature'],
    [{ exp: iat + 30 }, 'login_expired'],
    [{ iat: iat + 30 + 61 }, 'login_expired'],
    [{ nbf: iat + 31 }, 'invalid_signature'],
    [{ id: 0 }, 'invalid_request'],
    [{ id: 1.5 }, 'invalid_request'],
    [{ id: 2 ** 53 }, 'invalid_request'],
    [{ id: 'ada' }, 'invalid_request'],
    [{ id: undefined }, 'invalid_request'],
    [{ id: undefined, sub: undefined }, 'invalid_request'],
  ])('with %j is refused as %s', async (changes, code) => {
    expect(await outcome(changes)).toBe(code)
  })

  test('without id is known by its subject, where that is numeric', async () => {
    const identity = await verifyIdToken(await sign({ id: undefined, sub: '279058397' }), options)
    expect(identity).toMatchObject({ id: '279058397', subject: '279058397' })
  })

  test('says nothing of a phone number that was not verified', async () => {
    for (const phone_number_verified of [false, undefined, 'true']) {
      expect(await verifyIdToken(await sign({ phone_number_verified }), options)).not.toHaveProperty('phoneNumber')
    }
  })

  test('must carry the nonce of the sign-in, where there was one', async () => {
    expect(await outcome({ nonce: 'n-1' }, { nonce: 'n-1' })).toBeUndefined()
    expect(await outcome({ nonce: 'n-2' }, { nonce: 'n-1' })).toBe('nonce_invalid')
    expect(await outcome({ nonce: 1 }, { nonce: '1' })).toBe('nonce_invalid')
    expect(await outcome({}, { nonce: 'n-1' })).toBe('nonce_invalid')
  })

  test('has one spelling', async () => {
    const token = await sign()
    const [header, payload, signature] = token.split('.')
    for (const changed of [
      `${token}=`,
      `${token} `,
      `${token}\n`,
      ` ${token}`,
      `${header}.${payload}.${signature?.slice(0, 4)} ${signature?.slice(4)}`,
    ]) {
      expect(await refusalOf(verifyIdToken(changed, options))).toBe('invalid_request')
    }
  })

  test('changed in any character is refused', async () => {
    const token = await sign({}, 'EdDSA')
    for (const changed of mutate(token)) {
      const code = await refusalOf(verifyIdToken(changed, options))
      // The last character of 64 bytes holds four bits that no decoder reads: the one change that is none.
      if (code === undefined) expect(changed.slice(0, -1)).toBe(token.slice(0, -1))
      else expect(code).toMatch(/^invalid_(request|signature)$/)
    }
  })

  test('signed by nobody, or with a shared secret, is refused', async () => {
    const unsigned = new UnsecuredJWT(claims as JWTPayload).encode()
    expect(await refusalOf(verifyIdToken(unsigned, options))).toBe('invalid_request')
    const shared = await new SignJWT(claims as JWTPayload)
      .setProtectedHeader({ alg: 'HS256', kid: 'RS256' })
      .sign(new Uint8Array(32))
    expect(await refusalOf(verifyIdToken(shared, options))).toBe('invalid_signature')
  })

  test('signed with a key that Telegram does not publish is refused', async () => {
    const { privateKey } = await generateKeyPair('ES256')
    for (const kid of ['ES256', 'RS256', 'unknown']) {
      const token = await new SignJWT(claims as JWTPayload).setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey)
      expect(await refusalOf(verifyIdToken(token, options))).toBe('invalid_signature')
    }
  })

  test('is not blamed when the keys cannot be fetched', async () => {
    const unreachable = () => Promise.reject(new TypeError('fetch failed'))
    expect(await refusalOf(verifyIdToken(await sign(), { ...options, jwks: unreachable }))).toBe('unavailable')
  })
})
