import { describe, expect, test } from 'vitest'
import { explainTelegram } from '#server/telegram/explain.ts'
import { mutate } from '../support/mutate.ts'
import { readVectors } from '../support/readVectors.ts'

type Expected = 'valid' | 'invalid'

const apps = readVectors<{ vectors: { name: string; botToken: string; initData: string; expected: Expected }[] }>(
  'telegram-initdata-hmac.json',
).vectors
const widgets = readVectors<{
  vectors: { name: string; botToken: string; data: Record<string, string>; expected: Expected }[]
}>('telegram-login-widget.json').vectors

describe('an explanation', () => {
  test.each(apps)('of initData: $name is $expected', ({ initData, botToken, expected }) => {
    const spellings = [
      initData,
      `${initData}\n`,
      `?${initData}`,
      { initData },
      JSON.stringify({ initData }),
      JSON.stringify(initData),
    ]
    for (const data of spellings) {
      const { valid, reason, kind } = explainTelegram(data, botToken)
      expect([valid, reason === undefined, kind]).toEqual([expected === 'valid', expected === 'valid', 'initData'])
    }
  })

  test.each(widgets)('of the Login Widget: $name is $expected', ({ data, botToken, expected }) => {
    const query = new URLSearchParams(data).toString()
    for (const spelling of [data, JSON.stringify(data), { loginWidget: data }, query, `?${query}`]) {
      const { valid, reason, kind } = explainTelegram(spelling, botToken)
      expect([valid, reason === undefined, kind]).toEqual([expected === 'valid', expected === 'valid', 'loginWidget'])
    }
  })

  const { initData, botToken } = apps[0] as (typeof apps)[number]

  test('says who it is, and what was not checked', () => {
    expect(explainTelegram(initData, botToken)).toEqual({
      valid: true,
      kind: 'initData',
      skipped: ['age', 'signature'],
      user: {
        id: '279058397',
        firstName: 'Vladislav',
        lastName: 'Kibenko',
        username: 'vdkfrost',
        languageCode: 'ru',
        isPremium: true,
      },
      authDate: new Date(1662771648_000),
      hash: 'c501b71e775f74ce10e377dea85a7ea24ecd640b223ea86dfe453e0eaed2e2b2',
      queryId: 'AAHdF6IQAAAAAN0XohDhrOrc',
    })
  })

  test('with a clock also checks the age', () => {
    const at = (seconds: number, maxAge?: number) =>
      explainTelegram(initData, botToken, { now: new Date((1662771648 + seconds) * 1000), maxAge })
    expect(at(10)).toMatchObject({ valid: true, skipped: ['signature'] })
    expect(at(3600, 3599)).toMatchObject({
      valid: false,
      code: 'login_expired',
      reason: 'The login data is 3600 seconds old; at most 3599 are accepted',
    })
    expect(at(86_401)).toMatchObject({ valid: false, code: 'login_expired' })
    expect(at(-120)).toMatchObject({ valid: false, reason: 'The auth_date is 120 seconds in the future' })
  })

  test('of a signature that Telegram made does not skip it', () => {
    const signed = apps.find(({ initData, expected }) => initData.includes('signature=') && expected === 'valid')
    expect(explainTelegram(signed?.initData, signed?.botToken ?? '')).toMatchObject({ valid: true, skipped: ['age'] })
  })

  test('names the failing check and still says what the data claims', () => {
    const result = explainTelegram(initData, '42:another-bot')
    expect(result).toMatchObject({ valid: false, code: 'invalid_signature', user: { id: '279058397' } })
    expect(result.reason).toContain('signed for another bot or token')
    expect(JSON.stringify(result)).not.toContain('another-bot')
    expect(explainTelegram(initData, 'no token')).toMatchObject({ valid: false, code: 'invalid_request' })
  })

  test.each([
    undefined,
    null,
    7,
    [],
    {},
    '',
    '{',
    '[]',
    '"',
    'x',
    '{"initData":7}',
    { initData: null },
    { loginWidget: [] },
    { a: {} },
  ])('of %j is that it is no login, not an exception', (data) => {
    expect(explainTelegram(data, botToken)).toMatchObject({ valid: false, reason: expect.stringMatching(/./) })
  })

  test('of changed data is never valid and never an exception', () => {
    const text = JSON.stringify(widgets[0]?.data)
    const meaning = JSON.stringify(JSON.parse(text))
    for (const changed of mutate(text)) {
      const { valid } = explainTelegram(changed, widgets[0]?.botToken ?? '')
      if (valid) expect(JSON.stringify(JSON.parse(changed))).toBe(meaning)
    }
  })
})
