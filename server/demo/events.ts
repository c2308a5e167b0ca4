import { randomUUID } from 'node:crypto'
import type { NewType } from '#server/event/changeType.ts'
import type { Credential } from './apps.ts'
import type { Client } from './client.ts'
import type { Random } from './random.ts'
import type { Visitor, World } from './visitor.ts'

/** A type of event that apps' servers send, with contents that fit it. */
export type DemoType = { key: string; sample: Record<string, unknown> }

const won: NewType = {
  key: 'match.won',
  description: 'The person won a match',
  schema: {
    type: 'object',
    properties: { opponent: { type: 'string' }, points: { type: 'integer', minimum: 0 } },
    required: ['opponent', 'points'],
    additionalProperties: false,
  },
  sample: { opponent: 'Kestrel', points: 120 },
  templates: {
    en: { title: 'You won', body: 'You beat {opponent} and got {points} points.' },
    de: { title: 'Gewonnen', body: 'Du hast {opponent} geschlagen und {points} Punkte bekommen.' },
    es: { title: 'Has ganado', body: 'Has vencido a {opponent} y has conseguido {points} puntos.' },
  },
}

/** What an app may tell of: the whole catalogue of business, and in the arena a type of its own, which is made where it is missing. */
export async function readTypes(client: Client, headers: Credential, app: { id: string; slug: string }) {
  const path = `/api/v1/event-types?limit=200&appId=${app.id}`
  const { body } = await client.call<{ items: (DemoType & { origin: string })[] }>('list the event types', {
    ...{ method: 'GET', path, headers },
  })
  const types: DemoType[] = body.items.filter(({ origin }) => origin !== 'system')
  if (app.slug !== 'arena-bot' || types.some(({ key }) => key === won.key)) return types
  const made = { path: `/api/v1/apps/${app.id}/event-types`, headers, json: won, expect: 201 }
  await client.call('make an event type', made)
  return [...types, { key: won.key, sample: won.sample }]
}

/** The app's server tells of what the visitor did: one thing, or some at once; again where it did not hear the answer; and wrongly now and then. */
export async function tell(world: World, visitor: Visitor, n: number): Promise<void> {
  const { app, who } = visitor
  const user = 'person' in who ? String(who.person.id) : visitor.userId
  if (user === undefined) return
  const call = { path: `/v1/apps/${app.slug}/events`, token: app.apiKey }
  const about = (place: number) => {
    const { key, sample } = app.types[place % app.types.length]!
    return { type: key, user, content: vary(sample, world.random) }
  }
  if (n % 20 === 10) {
    const json = { ...about(0), content: { amount: ['a lot'] } }
    await world.client.call('tell what does not fit', { ...call, json, expect: 400 })
  }
  const json = n % 5 === 0 ? [about(n), about(n + 5), about(n + 9)] : about(n)
  const headers = n % 3 === 0 ? { 'idempotency-key': randomUUID() } : undefined
  for (let time = 0; time < (n % 6 === 3 ? 2 : 1); time++)
    await world.client.call('tell of an event', { ...call, headers, json, expect: 202 })
}

const coins = ['TON', 'USDT', 'NOT', 'DOGS', 'BTC', 'ETH', 'ONE']
const names = ['Jack', 'Alex', 'Mira', 'Søren', 'Chidi', 'Yuzu']

/** A content of the sample's shape. */
function vary(sample: DemoType['sample'], random: Random): DemoType['sample'] {
  const one = ([name, value]: [string, unknown]) => {
    if (typeof value === 'number') return [name, Number.isInteger(value) ? random.int(500) : random.int(90_000) / 1e6]
    if (/amount$/i.test(name)) return [name, String(random.int(900_000) / 1000)]
    if (/^(symbol[AB]?|swapFrom|swapTo)$/.test(name)) return [name, random.pick(coins)]
    if (/^(to|from|opponent)$/.test(name)) return [name, random.pick(names)]
    if (name === 'txnHash')
      return [
        name,
        `0x${random
          .int(2 ** 32)
          .toString(16)
          .padStart(8, '0')}…`,
      ]
    return [name, value]
  }
  return Object.fromEntries(Object.entries(sample).map(one)) as DemoType['sample']
}
