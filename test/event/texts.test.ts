import { readFileSync } from 'node:fs'
import { parse, TYPE, type MessageFormatElement } from '@formatjs/icu-messageformat-parser'
import { describe, expect, test } from 'vitest'
import { locales } from '../../server/email/kinds.ts'
import { catalogue, type EventType } from '../../server/event/catalogue.ts'
import { parseExact, toPlain } from '../../server/event/exactJson.ts'
import { checkTexts, render } from '../../server/event/render.ts'

const types = [...catalogue.values()]

type Sample = { name: string; event: { title: string; body: string; data: { op: string; content: object } } }
const samples = JSON.parse(
  readFileSync(new URL('../../../shared/reference/notification-samples.json', import.meta.url), 'utf8'),
) as Sample[]

const say = (type: EventType, locale: string, content: Record<string, unknown> = type.sample) =>
  render(type, content, { locales: [locale], rewardName: 'TomoOne HP' })

/** Names of all values that a text takes, and which kinds of formats it uses. */
function argumentsOf(ast: MessageFormatElement[]): { name: string; type: TYPE }[] {
  return ast.flatMap((element) => {
    if (element.type === TYPE.literal || element.type === TYPE.pound || element.type === TYPE.tag) return []
    const own = { name: element.value, type: element.type }
    if (element.type !== TYPE.select && element.type !== TYPE.plural) return [own]
    return [own, ...Object.values(element.options).flatMap(({ value }) => argumentsOf(value))]
  })
}

describe.each(locales)('in %s', (locale) => {
  test.each(types)('$key has a title and a body of its own, and takes nothing but what its content has', (type) => {
    const texts = type.templates[locale]!
    expect(Object.keys(texts)).toEqual(['title', 'body'])
    const members = Object.keys(type.schema['properties'] as object)
    expect(checkTexts(texts, new Set(members), locale)).toEqual([])
    const required = type.schema['required'] as string[]
    const optional = members.filter((name) => !required.includes(name))
    for (const text of Object.values(texts)) {
      const used = argumentsOf(parse(text, { ignoreTag: true }))
      // What may be missing stands only where a text can do without it.
      const bare = used.filter(({ name, type: kind }) => optional.includes(name) && kind === TYPE.argument)
      if (bare.length > 0) expect(used.some(({ type: kind }) => kind === TYPE.select)).toBe(true)
      expect(text).not.toMatch(/#|number|date|time,/)
    }
    const english = type.templates['en']!
    if (locale !== 'en') expect(texts.body).not.toBe(english.body)
    // Each language tells the same facts as English.
    const facts = ({ title, body }: { title: string; body: string }) =>
      new Set(argumentsOf(parse(`${title} ${body}`, { ignoreTag: true })).map(({ name }) => name))
    expect(facts(texts)).toEqual(facts(english))
  })

  test.each(types)('$key is written with its sample, whole', (type) => {
    const { title, body, locale: chosen } = say(type, locale)
    expect(chosen).toBe(locale)
    for (const text of [title, body]) {
      expect(text.trim()).not.toBe('')
      expect(text).not.toMatch(/[{}]|undefined|null|none| {2}/)
    }
  })

  test.each(samples)('the sample “$name” is written with every amount as it came', ({ event }) => {
    const type = types.find(({ op }) => op === event.data.op)!
    const { title, body } = say(type, locale, event.data.content as Record<string, unknown>)
    for (const [name, value] of Object.entries(event.data.content))
      if (type.templates['en']!.body.includes(`{${name}}`)) expect(title + body).toContain(String(value))
  })

  test.each(['0.10', '1e400', '18446744073709551616', '1000000', '-0', '1E2'])(
    'the number %s is not written anew',
    (n) => {
      const content = parseExact(`{"symbol":"BTC","amount":${n},"addedPoints":${n}}`) as Record<string, unknown>
      const { body } = say(catalogue.get('buy.success')!, locale, content)
      expect(body.split(n).length - 1).toBe(2)
      const text = { symbol: 'BTC', amount: n, addedPoints: n }
      expect(say(catalogue.get('buy.success')!, locale, text).body).toBe(body)
    },
  )
})

test('English is word for word what the published samples say', () => {
  for (const { name, event } of samples) {
    const content = event.data.content as Record<string, unknown>
    const fitting = types.filter(({ op }) => op === event.data.op).map((type) => say(type, 'en', content))
    expect(fitting, name).toContainEqual({ locale: 'en', title: event.title, body: event.body })
  }
})

test.each([
  ['ru', '1', '1 очко'],
  ['ru', '2', '2 очка'],
  ['ru', '5', '5 очков'],
  ['ru', '21', '21 очко'],
  ['ru', '1.5', '1.5 очка'],
  ['de', '1', '1 Punkt'],
  ['de', '0', '0 Punkte'],
  ['es', '1', '1 punto'],
  ['es', '1000000', '1000000 puntos'],
  ['fr', '1', '1 point'],
  ['fr', '2', '2 points'],
  ['pt-BR', '1', '1 ponto'],
  ['pt-BR', '250', '250 pontos'],
  ['tr', '7', '7 puan'],
  ['zh-CN', '7', '7 分'],
  ['en', '1', '1 points'],
])('in %s, %s points are “%s”', (locale, addedPoints, said) => {
  const { body } = say(catalogue.get('sell.success')!, locale, { symbol: 'BTC', amount: '1', addedPoints })
  expect(body.split('\n')[1]).toContain(said)
  expect(body.split('\n')[1]).toContain('TomoOne HP')
})

test('without points there is no line of them, and the reward’s name is the app’s to say', () => {
  for (const locale of locales) {
    const type = catalogue.get('sell.success')!
    expect(say(type, locale).body).not.toContain('\n')
    const told = say(type, locale, { ...type.sample, addedPoints: 3, rewardName: 'gold' })
    expect(told.body).toContain('TomoOne HP')
    expect(told.body).not.toContain('gold')
  }
})

test('a hash counts with the digits that came, and members of odd names do no harm', () => {
  const templates = {
    en: { title: '{n, plural, one {# thing} other {# things}}', body: '{n, plural, offset:1 other {#}}' },
  }
  const content = parseExact('{"n":1000.50,"__proto__":"x","constructor":"y","toString":"z"}') as Record<
    string,
    unknown
  >
  const { title, body } = render({ templates }, content, { locales: [], rewardName: 'x' })
  expect([title, body]).toEqual(['1000.50 things', '999.5'])
  expect(Object.keys(toPlain(content) as object)).toEqual(['n', '__proto__', 'constructor', 'toString'])
})
