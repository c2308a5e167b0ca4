import type { DemoApp } from './apps.ts'
import { initDataOf } from './people.ts'
import {
  askNonce,
  callAs,
  type Checked,
  enter,
  forget,
  freshUntil,
  graphql,
  prove,
  type Profile,
  type Session,
  type Visitor,
  type World,
} from './visitor.ts'
import { tonProofLogin, wallets } from './wallets.ts'

/** Checks the session, as an app does on each of its own calls. */
export async function look(world: World, visitor: Visitor, session: Session): Promise<void> {
  const { body, expected } = await callAs<Checked>(world, visitor, session, 'look', {
    method: 'GET',
    path: '/v1/session',
  })
  if (expected) session.freshUntil = freshUntil(world, body.expiresIn)
}

type Refreshed = { accessToken: string; refreshToken?: string; expiresIn: number }

export async function refresh(world: World, visitor: Visitor, session: Session): Promise<boolean> {
  const { refreshToken } = session
  const { body, expected } = await callAs<Refreshed>(world, visitor, session, 'refresh', {
    path: '/v1/token/refresh',
    token: undefined,
    json: { refreshToken },
  })
  if (!expected) return false
  session.accessToken = body.accessToken
  session.refreshToken = body.refreshToken ?? refreshToken
  session.freshUntil = freshUntil(world, body.expiresIn)
  return true
}

export async function logOut(world: World, visitor: Visitor, session: Session): Promise<void> {
  await callAs(world, visitor, session, 'log out', { path: '/v1/logout', expect: 204 })
  forget(visitor, session)
}

export async function logOutEverywhere(world: World, visitor: Visitor, session: Session): Promise<void> {
  await callAs(world, visitor, session, 'log out everywhere', { path: '/v1/logout/all', expect: 204 })
  visitor.sessions = []
}

/** A thief's copy of a refresh token that was used since ends the session. */
export async function stealRefreshToken(world: World, visitor: Visitor, session: Session): Promise<void> {
  const { refreshToken } = session
  // Only the last but one counts as stolen at once: the last may come from a client that refreshes twice.
  if (!(await refresh(world, visitor, session)) || !(await refresh(world, visitor, session))) return
  await world.client.call('use a stolen refresh token', {
    path: '/v1/token/refresh',
    json: { refreshToken },
    expect: 401,
  })
  forget(visitor, session)
}

/** The app's server asks about a token that a client sent it. */
export async function introspect(world: World, app: DemoApp, session: Session): Promise<void> {
  await world.client.call('introspect', {
    path: '/oauth/introspect',
    token: app.apiKey,
    form: { token: session.accessToken },
  })
}

/** The app's server ends a session. */
export async function revokeByApp(world: World, visitor: Visitor, session: Session): Promise<void> {
  await world.client.call('revoke', {
    path: '/oauth/revoke',
    token: visitor.app.apiKey,
    form: { token: session.refreshToken },
  })
  forget(visitor, session)
}

export async function revokeByOperator(world: World, visitor: Visitor, session: Session): Promise<void> {
  await world.client.call('revoke as operator', {
    path: `/api/v1/sessions/${session.id}/revoke`,
    headers: world.operator,
    json: { reason: 'Phone reported stolen' },
  })
  forget(visitor, session)
}

export async function block(world: World, visitor: Visitor): Promise<void> {
  await world.client.call('block as operator', {
    path: `/api/v1/users/${visitor.userId}/block`,
    headers: world.operator,
    json: { reason: 'Sold accounts, ticket 4711' },
  })
  visitor.sessions = []
}

/** A public profile for a wallet that has none yet. */
export async function makeProfile(world: World, visitor: Visitor, session: Session, profile: Profile): Promise<void> {
  if (!('wallet' in visitor.who)) return
  const caller = { from: session.device, token: session.accessToken }
  const known = await graphql<{ me: { profiles: unknown[] } }>(world, visitor, caller, '{ me { profiles { handle } } }')
  if (known?.me.profiles.length !== 0) return
  const { handle, data } = profile
  const made = await graphql<{ createProfile: { profileId: string } }>(
    world,
    visitor,
    caller,
    'mutation ($input: CreateProfileInput!) { createProfile(input: $input) { profileId } }',
    { input: { handle, address: visitor.who.wallet.address } },
  )
  if (!made) return
  const change = 'mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) { handle name } }'
  await graphql(world, visitor, caller, change, { input: { profileId: made.createProfile.profileId, data } })
}

/** A login that must not succeed, of the kinds that every public server sees. */
export async function forge(world: World, visitor: Visitor): Promise<void> {
  const { client, now, random } = world
  const { app, who } = visitor
  const from = visitor.devices[0]!
  if ('person' in who) {
    const stranger = { ...who.person, id: who.person.id + 1 }
    const altered = new URLSearchParams(initDataOf(who.person, app.botToken, now()))
    altered.set('user', JSON.stringify(stranger))
    const twoDaysAgo = new Date(now().getTime() - 172_800_000)
    const initData = random.pick([
      altered.toString(),
      initDataOf(stranger, `${app.botToken.slice(0, -5)}wrong`, now()),
      initDataOf(who.person, app.botToken, twoDaysAgo),
    ])
    await client.call('forge initData', {
      path: `/v1/apps/${app.slug}/telegram/login`,
      from,
      json: { initData },
      expect: 401,
    })
    return
  }
  const nonce = await askNonce(world, app, from)
  const thief = { ...who.wallet, key: wallets.find((other) => other !== who.wallet)!.key }
  const json = random.pick([
    tonProofLogin(thief, nonce, app.domain, now()),
    tonProofLogin(who.wallet, nonce, 'phishing.example.net', now()),
  ])
  await client.call('forge a proof', { path: `/v1/apps/${app.slug}/ton/login`, from, json, expect: 401 })
}

/** A bot at one address tries people's names without the bot's token, until it is stopped. */
export async function swarm(world: World, stopped: () => boolean): Promise<void> {
  const from = { userAgent: 'python-requests/2.32.3', ip: '203.0.113.66' }
  const victims = world.visitors.flatMap(({ app, who }) => ('person' in who ? [{ app, person: who.person }] : []))
  for (const { app, person } of victims.slice(0, 40)) {
    if (stopped()) return
    await world.client.call('swarm', {
      path: `/v1/apps/${world.apps[0]!.slug}/telegram/login`,
      from,
      json: { initData: initDataOf(person, `${app.botToken.slice(0, -5)}wrong`, world.now()) },
      expect: [401, 429],
    })
  }
}

/** Signs in, and has somebody send the same proof once more. */
export async function replay(world: World, visitor: Visitor): Promise<void> {
  const device = visitor.devices[0]!
  const login = await prove(world, visitor, device)
  await enter(world, visitor, device, login)
  await world.client.call('send a proof twice', { ...login, from: device, expect: 401 })
}
