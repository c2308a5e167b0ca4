import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { botKeys } from '#server/telegram/botKeys.ts'
import { verifyLoginWidget, type LoginWidgetData } from '#server/telegram/loginWidget.ts'
import { mutate } from '../support/mutate.ts'
import { readVectors } from '../support/readVectors.ts'
import { refusal } from '../support/refusal.ts'

type Vector = { name: string; botToken: string; data: Record<string, string>; expected: 'valid' | 'invalid' }

const { vectors } = readVectors<{ vectors: Vector[] }>('telegram-login-widget.json')
const valid = vectors.filter((vector) => vector.expected === 'valid')
const token = '123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11'
const day = 86_400

function verify(data: LoginWidgetData, botToken: string, now = new Date((Number(data.auth_date) + 5) * 1000)) {
  return verifyLoginWidget(data, botKeys(botToken), now, day)
}

function signed(data: LoginWidgetData): LoginWidgetData {
  const text = Object.entries(data)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join('\n')
  return { ...data, hash: createHmac('sha256', botKeys(token).widget).update(text).digest('hex') }
}

const ada = { id: 42, first_name: 'Ada', auth_date: 1700000000 }

describe('published samples', () => {
  test.each(vectors)('$name is $expected', ({ data, botToken, expected }) => {
    expect(refusal(() => verify(data, botToken))).toBe(expected === 'valid' ? undefined : 'invalid_signature')
  })

  test('a genuine sample yields the person', () => {
    expect(verify(valid[0]?.data ?? {}, valid[0]?.botToken ?? '')).toEqual({
      user: {
        id: '168175103',
        firstName: 'Miha',
        lastName: 'Zupan',
        username: 'MihaZupan',
        photoUrl: 'https://t.me/i/userpic/320/MihaZupan.jpg',
      },
      authDate: new Date(1540852587_000),
      hash: '5b108abf4749846e96c4aa449eb65246c500d29cd6711463166bd2ffcf87285f',
    })
  })
})

describe('what was changed is refused', () => {
  test.each(valid)('$name: any changed character of any member', ({ data, botToken }) => {
    const now = new Date((Number(data.auth_date) + 5) * 1000)
    for (const [name, value] of Object.entries(data)) {
      for (const changed of mutate(value)) {
        expect([name, changed, refusal(() => verify({ ...data, [name]: changed }, botToken, now))]).toEqual([
          name,
          changed,
          expect.stringMatching(/^invalid_(request|signature)$/),
        ])
      }
    }
  })

  test.each(valid)('$name: any member removed, renamed or added', ({ data, botToken }) => {
    const now = new Date((Number(data.auth_date) + 5) * 1000)
    for (const [name, value] of Object.entries(data)) {
      const { [name]: _, ...others } = data
      for (const changed of [others, { ...others, [`x${name}`]: value }, { ...data, added: '1' }]) {
        expect(refusal(() => verify(changed, botToken, now))).toMatch(/^invalid_(request|signature)$/)
      }
    }
  })

  test.each(valid)('$name: another bot', ({ data, botToken }) => {
    expect(refusal(() => verify(data, `${botToken}x`))).toBe('invalid_signature')
  })

  test('members cut anew with a line feed', () => {
    const { data, botToken } = valid[0] as Vector
    const { first_name: first, id, ...others } = data
    // The signed text stays the same to the byte: first_name's line, then id's.
    const recut = { ...others, first_name: `${first}\nid=${id}` }
    expect(refusal(() => verify(recut, botToken))).toBe('invalid_request')
  })

  test('the Mini App secret does not open the widget', () => {
    const hash = createHmac('sha256', botKeys(token).webApp)
      .update('auth_date=1700000000\nfirst_name=Ada\nid=42')
      .digest('hex')
    expect(refusal(() => verify({ ...ada, hash }, token))).toBe('invalid_signature')
  })
})

describe('shape', () => {
  test('numbers and digits are the same data', () => {
    const data = signed(ada)
    expect(verify(data, token)).toEqual(verify({ ...data, id: '42', auth_date: '1700000000' }, token))
  })

  test.each([{ id: 1.5 }, { id: Number.NaN }, { id: 2 ** 53 }, { id: true }, { id: null }, { id: ['42'] }, { id: {} }])(
    '%j is no id',
    (member) => {
      const data = { ...signed(ada), ...member } as unknown as LoginWidgetData
      expect(refusal(() => verify(data, token))).toBe('invalid_request')
    },
  )

  test.each([
    { id: 0 },
    { id: -42 },
    { id: 'x' },
    { auth_date: '1e9' },
    { 'First-Name': 'x' },
    { last_name: 'a\u0000' },
  ])('%j is refused even when signed', (member) => {
    const data = signed({ ...ada, ...member } as LoginWidgetData)
    expect(refusal(() => verify(data, token, new Date(1700000000_000)))).toBe('invalid_request')
  })

  test('more than 4096 characters are refused', () => {
    expect(refusal(() => verify(signed({ ...ada, last_name: 'x'.repeat(4096) }), token))).toBe('invalid_request')
  })
})

describe('age', () => {
  const at = (seconds: number) => refusal(() => verify(signed(ada), token, new Date((1700000000 + seconds) * 1000)))

  test('as old as allowed is accepted, a second more is expired', () => {
    expect(at(day)).toBeUndefined()
    expect(at(day + 1)).toBe('login_expired')
  })

  test('a clock that runs a minute ahead is forgiven, more is refused', () => {
    expect(at(-60)).toBeUndefined()
    expect(at(-61)).toBe('login_expired')
  })
})
