import { solveChallenge } from 'altcha-lib'
import { deriveKey } from 'altcha-lib/algorithms/sha'
import type { App } from '../../server/app/app.ts'
import { bearer, operatorToken } from './operator.ts'
import { call, startServer, type Answer, type TestServer } from './server.ts'
import { telegramApp } from './signIn.ts'
import { initData, person } from './telegram.ts'

export type Watched = { server: TestServer; app: App; operator: Record<string, string> }

/** A server that believes where its callers say they are, so that one machine can be many. */
export async function watched(env: Record<string, string> = {}): Promise<Watched> {
  const server = await startServer({ env: { GATEHOUSE_TRUST_PROXY: '127.0.0.1/32', ...env } })
  const app = await telegramApp(server, { slug: 'quest', ton: { domains: ['quest.example.com'] } })
  return { server, app, operator: bearer(await operatorToken(server)) }
}

const from = (ip: string, more: Record<string, string> = {}) => ({
  'x-forwarded-for': ip,
  'user-agent': 'Mozilla/5.0 (iPhone) Telegram-iOS/12.1',
  ...more,
})

export const post = (
  { server }: Watched,
  path: string,
  ip: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> => call(server, 'POST', path, { body, headers: from(ip, headers) })

/** A person signs in, as their Mini App does. */
export const signIn = (world: Watched, id: number, ip: string, headers: Record<string, string> = {}) =>
  post(world, '/v1/apps/quest/telegram/login', ip, { initData: initData(person(id), world.server.clock.now) }, headers)

/** Somebody who has no bot token signs in as a person. */
export const forge = (world: Watched, id: number, ip: string, headers: Record<string, string> = {}) =>
  post(
    world,
    '/v1/apps/quest/telegram/login',
    ip,
    { initData: initData(person(id), world.server.clock.now, '7000000001:AAF1AnotherBotsTokenEntirely0000000000') },
    headers,
  )

/** A client that knows challenges: it solves what it is asked to, and tries once more. */
export async function solving(tryOnce: (headers: Record<string, string>) => Promise<Answer>): Promise<Answer> {
  const answer = await tryOnce({})
  if (answer.status !== 428) return answer
  const { challenge } = answer.body as { challenge: Parameters<typeof solveChallenge>[0]['challenge'] }
  const solution = await solveChallenge({ challenge, deriveKey })
  return tryOnce({ 'gatehouse-challenge': Buffer.from(JSON.stringify({ challenge, solution })).toString('base64') })
}

export const nonce = (world: Watched, ip: string, address?: string) =>
  post(world, '/v1/apps/quest/ton/nonce', ip, { ...(address !== undefined && { address }) })

export const manage = (world: Watched, method: string, path: string, body?: unknown): Promise<Answer> =>
  call(world.server, method, `/api/v1${path}`, { headers: world.operator, ...(body !== undefined && { body }) })

export type FoundItem = {
  detector: string
  kind: string
  value: string
  tries: number
  stopped: number
  answer: string
  shadow: boolean
}

export const findings = async (world: Watched, query = ''): Promise<FoundItem[]> =>
  (await manage(world, 'GET', `/traffic${query}`)).body['items'] as FoundItem[]
