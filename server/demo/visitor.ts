import type { Login as SignedIn } from '#server/session/signIn.ts'
import type { DemoApp, Credential } from './apps.ts'
import type { Answer, Call, Client } from './client.ts'
import type { Device } from './devices.ts'
import { initDataOf, type Person } from './people.ts'
import type { LocalChain } from './localChain.ts'
import type { Random } from './random.ts'
import type { Receiver } from './receiver.ts'
import { signedNonceLogin, tonProofLogin, type Nonce, type Wallet } from './wallets.ts'

export type World = {
  client: Client
  now: () => Date
  random: Random
  operator: Credential
  apps: DemoApp[]
  visitors: Visitor[]
  /** Where the apps' servers take webhooks. */
  receiver: Receiver
  /** Where wallets hold their money; undefined where there is none. */
  chain?: LocalChain | undefined
}

/** A session as the device knows that holds its tokens. */
export type Session = { id: string; accessToken: string; refreshToken: string; freshUntil: number; device: Device }

/** What a wallet's owner tells everybody, under a handle. */
export type Profile = { handle: string; data: Record<string, string> }

/** Somebody who uses one app on some devices. */
export type Visitor = {
  app: DemoApp
  who: { person: Person } | { wallet: Wallet; way: 'ton_proof' | 'signed nonce' | 'graphql' }
  devices: Device[]
  sessions: Session[]
  userId?: string
  profile?: Profile | undefined
  /** Signs in in vain from some time on. */
  toBeBlocked?: boolean
}

/** A login ready to be sent. */
export type Login = { path: string; json: unknown }

/** What the visitor sends to sign in: signed by their bot, or by their wallet over a new nonce. */
export async function prove(world: World, visitor: Visitor, device: Device): Promise<Login> {
  const { app, who } = visitor
  if ('person' in who) {
    return {
      path: `/v1/apps/${app.slug}/telegram/login`,
      json: { initData: initDataOf(who.person, app.botToken, world.now()) },
    }
  }
  const nonce = await askNonce(world, app, device)
  return {
    path: `/v1/apps/${app.slug}/ton/login`,
    json:
      who.way === 'ton_proof'
        ? tonProofLogin(who.wallet, nonce, app.domain, world.now())
        : signedNonceLogin(who.wallet, nonce),
  }
}

export async function askNonce({ client }: World, app: DemoApp, from: Device): Promise<Nonce> {
  const path = `/v1/apps/${app.slug}/ton/nonce`
  const { body } = await client.call('ask for a nonce', { path, from, json: {}, expect: 201 })
  return { id: String(body['id']), nonce: String(body['nonce']) }
}

/** Signs in on a device; sessions that this ends are forgotten by the devices that held them. */
export async function signIn(world: World, visitor: Visitor, device: Device): Promise<Session | undefined> {
  if ('wallet' in visitor.who && visitor.who.way === 'graphql') return signInByGraphql(world, visitor, device)
  return enter(world, visitor, device, await prove(world, visitor, device))
}

export async function enter(
  world: World,
  visitor: Visitor,
  device: Device,
  login: Login,
): Promise<Session | undefined> {
  const expect = visitor.toBeBlocked ? [200, 403] : 200
  const { status, body } = await world.client.call<SignedIn>('sign in', { ...login, from: device, expect })
  if (status !== 200) return undefined
  visitor.userId = body.user.id
  visitor.sessions = visitor.sessions.filter((session) => !body.evictedSessions.includes(session.id))
  return keep(world, visitor, device, { ...body, id: body.session.id })
}

/** Nabi's way in, which answers the tokens and nothing else. */
async function signInByGraphql(world: World, visitor: Visitor, device: Device): Promise<Session | undefined> {
  const { wallet } = visitor.who as { wallet: Wallet }
  const caller = { from: device }
  const ask = 'mutation { generateNonce { id nonce } }'
  const asked = await graphql<{ generateNonce: Nonce }>(world, visitor, caller, ask)
  if (!asked) return undefined
  const request = signedNonceLogin(wallet, asked.generateNonce)
  const query = 'mutation ($request: GetTokenRequest!) { getToken(request: $request) { accessToken refreshToken } }'
  const got = await graphql<{ getToken: Omit<Tokens, 'id' | 'expiresIn'> }>(world, visitor, caller, query, { request })
  if (!got) return undefined
  const { body, expected } = await world.client.call<Checked>('look', {
    method: 'GET',
    path: '/v1/session',
    token: got.getToken.accessToken,
    ...caller,
  })
  if (!expected) return undefined
  visitor.userId = body.user.id
  // What this login ended it does not say; with a limit of one that was all there was.
  visitor.sessions = []
  return keep(world, visitor, device, { ...got.getToken, id: body.session.id, expiresIn: body.expiresIn })
}

type Tokens = { id: string; accessToken: string; refreshToken: string; expiresIn: number }

/** What a session check answers. */
export type Checked = { session: { id: string }; user: { id: string }; expiresIn: number }

function keep(world: World, visitor: Visitor, device: Device, tokens: Tokens): Session {
  const { id, accessToken, refreshToken, expiresIn } = tokens
  const session = { id, accessToken, refreshToken, device, freshUntil: freshUntil(world, expiresIn) }
  visitor.sessions.push(session)
  return session
}

/** A minute before it expires, a token counts as old. */
export const freshUntil = (world: World, expiresIn: number) => world.now().getTime() + (expiresIn - 60) * 1000

/** The data of a GraphQL answer, or undefined when it was refused. */
export async function graphql<T>(
  { client }: World,
  visitor: Visitor,
  caller: Pick<Call, 'from' | 'token'>,
  query: string,
  variables: Record<string, unknown> = {},
): Promise<T | undefined> {
  const path = `/v1/apps/${visitor.app.slug}/graphql`
  const { expected, body } = await client.call<{ data: T; errors?: unknown }>('GraphQL', {
    path,
    ...caller,
    json: { query, variables },
  })
  return expected && !body.errors ? body.data : undefined
}

/** A call with a session's token. A refusal that was not foreseen means that the session is over, and its device forgets it. */
export async function callAs<T>(
  { client }: World,
  visitor: Visitor,
  session: Session,
  act: string,
  call: Call,
): Promise<Answer<T>> {
  const answer = await client.call<T>(act, { token: session.accessToken, from: session.device, ...call })
  if (!answer.expected) forget(visitor, session)
  return answer
}

export function forget(visitor: Visitor, session: Session): void {
  visitor.sessions = visitor.sessions.filter((other) => other !== session)
}
