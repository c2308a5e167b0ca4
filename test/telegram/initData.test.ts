import { createHmac, createPublicKey, generateKeyPairSync, sign as signEd25519 } from 'node:crypto'
import { sign } from '@tma.js/init-data-node'
import { describe, expect, test } from 'vitest'
import { botKeys } from '#server/telegram/botKeys.ts'
import { parseInitData, verifyInitData } from '#server/telegram/initData.ts'
import { verifySignature } from '#server/telegram/signature.ts'
import { mutate } from '../support/mutate.ts'
import { readVectors } from '../support/readVectors.ts'
import { refusal } from '../support/refusal.ts'

type Vector = { name: string; botToken: string; initData: string; expected: 'valid' | 'invalid' }

const hmac = readVectors<{ vectors: Vector[]; primitives: { data: string; hmacSha256Hex: string }[] }>(
  'telegram-initdata-hmac.json',
)
const ed25519 = readVectors<{
  vectors: (Omit<Vector, 'botToken'> & { botId: number; publicKey: string })[]
}>('telegram-initdata-ed25519.json')

const valid = hmac.vectors.filter((vector) => vector.expected === 'valid')
const token = '5768337691:AAH5YkoiEuPk8-FZa32hStHTqXiLPtAEhx8'
const day = 86_400

/** A clock that stands a few seconds after the data was signed. */
function soonAfter(initData: string): Date {
  return new Date((Number(new URLSearchParams(initData).get('auth_date')) + 5) * 1000)
}

function verify(initData: string, botToken: string, now = soonAfter(initData)) {
  return verifyInitData(initData, botKeys(botToken), now, day)
}

/** Signs pairs as Telegram does, whatever they hold. */
function signed(pairs: [string, string][], botToken = token): string {
  const text = pairs
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join('\n')
  const hash = createHmac('sha256', botKeys(botToken).webApp).update(text).digest('hex')
  return new URLSearchParams([...pairs, ['hash', hash]]).toString()
}

const user = JSON.stringify({ id: 42, first_name: 'Ada' })

describe('published samples', () => {
  test.each(hmac.vectors)('$name is $expected', ({ initData, botToken, expected }) => {
    const outcome = refusal(() => verify(initData, botToken))
    if (expected === 'valid') expect(outcome).toBeUndefined()
    else expect(outcome).toMatch(/^invalid_(request|signature)$/)
  })

  test.each(ed25519.vectors)("Telegram's own signature: $name is $expected", (vector) => {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(vector.publicKey, 'hex').toString('base64url') }
    const telegram = createPublicKey({ format: 'jwk', key: jwk })
    const outcome = refusal(() =>
      verifySignature(parseInitData(vector.initData), { botId: `${vector.botId}`, telegram }),
    )
    expect(outcome === undefined).toBe(vector.expected === 'valid')
  })

  test('the secret is HMAC-SHA256 of the token under "WebAppData"', () => {
    const published = hmac.primitives.filter(({ data }) => data.includes(':'))
    expect(published.length).toBeGreaterThan(0)
    for (const { data, hmacSha256Hex } of published) {
      expect(botKeys(data).webApp.export().toString('hex')).toBe(hmacSha256Hex)
    }
  })

  test('a genuine sample yields the person and where they came from', () => {
    const vector = hmac.vectors.find(({ initData }) => initData.includes('chat_type=private'))
    expect(verify(vector?.initData ?? '', vector?.botToken ?? '')).toEqual({
      user: {
        id: '279058397',
        firstName: 'Vladislav + - ? /',
        lastName: 'Kibenko',
        username: 'vdkfrost',
        languageCode: 'ru',
        isPremium: true,
        allowsWriteToPm: true,
        photoUrl: 'https://t.me/i/userpic/320/4FPEE4tmP3ATHa57u6MqTDih13LTOiMoKoLDRG4PnSA.svg',
      },
      authDate: new Date(1733584787_000),
      hash: '2174df5b000556d044f3f020384e879c8efcab55ddea2ced4eb752e93e7080d6',
      chatType: 'private',
      chatInstance: '8134722200314281151',
    })
  })
})

describe('what was changed is refused', () => {
  test.each(valid)('$name: any changed character', ({ initData, botToken }) => {
    const now = soonAfter(initData)
    const meaning = JSON.stringify([...new URLSearchParams(initData)])
    for (const changed of mutate(initData)) {
      // %7b for %7B is another spelling of the same data, and Telegram signs the data.
      if (
        JSON.stringify([...new URLSearchParams(changed)]) === meaning &&
        refusal(() => parseInitData(changed)) === undefined
      )
        continue
      expect([changed, refusal(() => verify(changed, botToken, now))]).toEqual([
        changed,
        expect.stringMatching(/^invalid_(request|signature)$/),
      ])
    }
  })

  test.each(valid)('$name: any pair removed, doubled, emptied, renamed or added', ({ initData, botToken }) => {
    const now = soonAfter(initData)
    const pairs = initData.split('&')
    const variants = pairs.flatMap((pair, at) => {
      const others = pairs.toSpliced(at, 1)
      return [others, [...pairs, pair], pairs.with(at, pair.replace(/=.*/, '=')), pairs.with(at, `x${pair}`)]
    })
    variants.push([...pairs, 'additional_prop=1'], [...pairs, ''], ['', ...pairs], [...pairs, 'x'])
    for (const variant of variants) {
      const changed = variant.join('&')
      if (changed === initData) continue
      expect([changed, refusal(() => verify(changed, botToken, now))]).toEqual([changed, expect.any(String)])
    }
  })

  test.each(valid)('$name: the order of the pairs does not matter', ({ initData, botToken }) => {
    const pairs = initData.split('&')
    for (let turn = 1; turn < pairs.length; turn++) {
      const turned = [...pairs.slice(turn), ...pairs.slice(0, turn)].join('&')
      expect(verify(turned, botToken)).toEqual(verify(initData, botToken))
    }
  })

  test.each(valid)('$name: another bot, or another token of the same bot', ({ initData, botToken }) => {
    const [botId, secret] = botToken.split(':')
    expect(refusal(() => verify(initData, `${botId}1:${secret}`))).toBe('invalid_signature')
    expect(refusal(() => verify(initData, `${botId}:${secret}x`))).toBe('invalid_signature')
  })

  test('the Login Widget secret does not open a Mini App', () => {
    const text = `auth_date=1700000000\nuser=${user}`
    const hash = createHmac('sha256', botKeys(token).widget).update(text).digest('hex')
    const initData = new URLSearchParams({ auth_date: '1700000000', user, hash }).toString()
    expect(refusal(() => verify(initData, token))).toBe('invalid_signature')
  })
})

describe('data that can be read in two ways is refused, even when its hash holds', () => {
  test('genuine pairs cut anew with a line feed inside a value', () => {
    const genuine = valid.find(({ name }) => name.includes('validateTestInitData'))
    const fields = new URLSearchParams(genuine?.initData)
    const lines = ['auth_date', 'query_id', 'user'].map((name) => `${name}=${fields.get(name)}`)
    const hash = fields.get('hash') ?? ''
    // The signed text of this is the genuine one, to the byte.
    const recut = new URLSearchParams({ auth_date: lines.join('\n').slice('auth_date='.length), hash })
    expect(refusal(() => verifyInitData(recut.toString(), botKeys(token), new Date(1662771650_000), day))).toBe(
      'invalid_request',
    )
    const hidden = new URLSearchParams({
      auth_date: '1662771648',
      query_id: lines.slice(1).join('\n').slice('query_id='.length),
      hash,
    })
    expect(refusal(() => verifyInitData(hidden.toString(), botKeys(token), new Date(1662771650_000), day))).toBe(
      'invalid_request',
    )
  })

  test.each(['\n', '\r', '\0', '\u001f', '\u007f', '\u0085', '\t'])(
    'the control character %j in a value',
    (character) => {
      const initData = signed([
        ['auth_date', '1700000000'],
        ['start_param', `a${character}b`],
        ['user', user],
      ])
      expect(refusal(() => verify(initData, token))).toBe('invalid_request')
    },
  )

  test.each(['User', 'user1', 'user-id', '', 'a'.repeat(33), 'usér', '__proto__\n'])('the field name %j', (name) => {
    const initData = signed([
      ['auth_date', '1700000000'],
      [name, 'x'],
      ['user', user],
    ])
    expect(refusal(() => verify(initData, token))).toBe('invalid_request')
  })

  test('a duplicated name with equal values', () => {
    const initData = signed([
      ['auth_date', '1700000000'],
      ['user', user],
    ])
    expect(refusal(() => verify(`${initData}&auth_date=1700000000`, token))).toBe('invalid_request')
  })

  test.each(['1e9', '-1', '1700000000.5', ' 1700000000', '0x65', '', '1700000000000', 'x'])(
    'the auth_date %j',
    (authDate) => {
      const initData = signed([
        ['auth_date', authDate],
        ['user', user],
      ])
      expect(refusal(() => verify(initData, token, new Date(1700000000_000)))).toBe('invalid_request')
    },
  )

  test('a hash in upper case', () => {
    const initData = signed([
      ['auth_date', '1700000000'],
      ['user', user],
    ])
    expect(
      refusal(() =>
        verify(
          initData.replace(/hash=.*/, (hash) => hash.toUpperCase().replace('HASH', 'hash')),
          token,
        ),
      ),
    ).toBe('invalid_request')
  })

  test('percent-encoding that is no UTF-8', () => {
    expect(refusal(() => verify('auth_date=1700000000&user=%ff&hash=x', token))).toBe('invalid_request')
    expect(refusal(() => verify('auth_date=1700000000&user=%7&hash=x', token))).toBe('invalid_request')
  })

  test('more than 4096 characters', () => {
    const pairs: [string, string][] = [
      ['auth_date', '1700000000'],
      ['user', user],
    ]
    const padding = 4096 - signed([...pairs, ['start_param', '']]).length
    expect(refusal(() => verify(signed([...pairs, ['start_param', 'x'.repeat(padding)]]), token))).toBeUndefined()
    expect(refusal(() => verify(signed([...pairs, ['start_param', 'x'.repeat(padding + 1)]]), token))).toBe(
      'invalid_request',
    )
  })
})

describe('age', () => {
  const initData = signed([
    ['auth_date', '1700000000'],
    ['user', user],
  ])
  const at = (seconds: number) => refusal(() => verify(initData, token, new Date((1700000000 + seconds) * 1000)))

  test('as old as allowed is accepted, a second more is expired', () => {
    expect(at(day)).toBeUndefined()
    expect(at(day + 1)).toBe('login_expired')
  })

  test('a clock that runs a minute ahead is forgiven, more is refused', () => {
    expect(at(-60)).toBeUndefined()
    expect(at(-61)).toBe('login_expired')
    expect(at(-10 * 365 * day)).toBe('login_expired')
  })
})

describe('the user', () => {
  const withUser = (value: string) =>
    refusal(() =>
      verify(
        signed([
          ['auth_date', '1700000000'],
          ['user', value],
        ]),
        token,
      ),
    )

  test('is required', () => {
    expect(refusal(() => verify(signed([['auth_date', '1700000000']]), token))).toBe('invalid_request')
  })

  test.each([
    '',
    'null',
    '[]',
    '"42"',
    '{}',
    '{"id":42}',
    '{"first_name":"Ada"}',
    '{"id":0,"first_name":"Ada"}',
    '{"id":-1,"first_name":"Ada"}',
    '{"id":1.5,"first_name":"Ada"}',
    '{"id":9007199254740993,"first_name":"Ada"}',
    '{"id":"9007199254740993","first_name":"Ada"}',
    '{"id":"0x2a","first_name":"Ada"}',
    '{"id":true,"first_name":"Ada"}',
    '{"id":42,"first_name":7}',
    '{"id":42,"first_name":"Ada","username":{}}',
    '{"id":42,"first_name":"Ada","is_premium":1}',
  ])('is refused as %s', (value) => {
    expect(withUser(value)).toBe('invalid_request')
  })

  test('with an id beyond 32 bits keeps every digit', () => {
    const initData = signed([
      ['auth_date', '1700000000'],
      ['user', '{"id":9007199254740991,"first_name":"Ada"}'],
    ])
    expect(verify(initData, token).user.id).toBe('9007199254740991')
  })
})

describe('with other implementations', () => {
  test('what @tma.js/init-data-node signs is accepted here, for any name', () => {
    const names = ['Ada', 'a=b&c', 'Ünï çødé', '🇺🇦', '+ % # ?', '\u2028', '"\\/']
    for (const name of names) {
      const authDate = new Date(1700000000_000)
      const data = {
        auth_date: authDate,
        query_id: name,
        start_param: 'debug',
        user: { id: 99_281_932, first_name: name, language_code: 'en', is_premium: true },
      }
      const initData = sign(data, token, authDate)
      const result = verify(initData, token)
      expect(result.user).toEqual({ id: '99281932', firstName: name, languageCode: 'en', isPremium: true })
      expect(result).toMatchObject({ authDate, queryId: name, startParam: 'debug' })
    }
  })
})

describe("Telegram's own signature", () => {
  const { publicKey: telegram, privateKey } = generateKeyPairSync('ed25519')
  const keys = { ...botKeys(token), telegram }
  const pairs: [string, string][] = [
    ['auth_date', '1700000000'],
    ['user', user],
  ]
  const message = `5768337691:WebAppData\nauth_date=1700000000\nuser=${user}`
  const signature = signEd25519(null, Buffer.from(message), privateKey).toString('base64url')
  const now = new Date(1700000005_000)
  const check = (value: string, with_ = keys) =>
    refusal(() => verifyInitData(signed([...pairs, ['signature', value]]), with_, now, day))

  test('is checked beside the hash where it is there', () => {
    expect(check(signature)).toBeUndefined()
    // The hash is right, as anybody with the token can make it; the signature is not Telegram's.
    expect(check(signature, botKeys(token))).toBe('invalid_signature')
    expect(check(signature, { ...keys, botId: '42' })).toBe('invalid_signature')
  })

  test('has one spelling', () => {
    expect(check(`${signature}==`)).toBe('invalid_request')
    expect(check(signature.slice(1))).toBe('invalid_request')
    expect(check('A'.repeat(86))).toBe('invalid_signature')
  })

  test('left empty counts as absent', () => {
    expect(check('')).toBeUndefined()
  })

  test('of the test environment counts only where the bot is a test bot', () => {
    const [production, test] = [botKeys(token), botKeys(token, { environment: 'test' })]
    expect(production.telegram.equals(test.telegram)).toBe(false)
    expect(botKeys(token, { environment: 'production' }).telegram.equals(production.telegram)).toBe(true)
  })
})

describe('a bot token', () => {
  test.each(['', 'my-secret-token', '42', '42:', ':TEST', '42:TE ST', '42:TEST\n', 'x42:TEST'])(
    '%j is refused, and not repeated',
    (text) => {
      expect(() => botKeys(text)).toThrow('The bot token must look like')
      if (text) expect(() => botKeys(text)).not.toThrow(text)
    },
  )

  test('names its bot', () => {
    expect(botKeys('42:TEST').botId).toBe('42')
  })
})
