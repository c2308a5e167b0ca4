import { setTimeout as sleep } from 'node:timers/promises'
import {
  block,
  forge,
  swarm,
  introspect,
  logOut,
  logOutEverywhere,
  look,
  makeProfile,
  refresh,
  replay,
  revokeByApp,
  revokeByOperator,
  stealRefreshToken,
} from './acts.ts'
import { makeApps, type Credential } from './apps.ts'
import { createClient } from './client.ts'
import { pay } from './chain.ts'
import { newDevice } from './devices.ts'
import { makeEndpoints } from './endpoints.ts'
import { tell } from './events.ts'
import { correspond } from './mails.ts'
import { people } from './people.ts'
import { seeded } from './random.ts'
import { startReceiver } from './receiver.ts'
import { signIn, type Profile, type Visitor, type World } from './visitor.ts'
import { wallets } from './wallets.ts'

/** The apps with a receiver for their webhooks, made where they are missing, and everybody who is going to use them. Nobody has signed in yet. */
export async function createWorld(input: { url: string; operator: Credential; now: () => Date }): Promise<World> {
  const { url, operator, now } = input
  const random = seeded(2026)
  const client = createClient(url)
  const apps = await makeApps(client, operator)
  const receiver = await startReceiver(now)
  await makeEndpoints(client, operator, apps, receiver)
  const visitor = (app: (typeof apps)[number], who: Visitor['who']): Visitor => ({
    app,
    who,
    devices: Array.from({ length: 1 + random.int(3) }, () => newDevice(random)),
    sessions: [],
  })
  const forWallets = apps.filter((app) => app.wallets)
  const visitors = [
    ...people.map((person, n) => visitor(apps[n % apps.length]!, { person })),
    // Some play more than one game.
    ...people.flatMap((person, n) => (n % 4 === 0 ? [visitor(apps[(n + 1) % apps.length]!, { person })] : [])),
    ...wallets.map((wallet, n) => {
      const app = forWallets[n % forWallets.length]!
      const nabi = app.slug === 'ton-quest' && n % 4 === 0
      const who = { wallet, way: nabi ? 'graphql' : n % 3 === 2 ? 'signed nonce' : 'ton_proof' } as const
      return { ...visitor(app, who), profile: profiles[n] }
    }),
  ]
  visitors[7]!.toBeBlocked = true
  return { client, now, random, operator, apps, visitors, receiver }
}

/** Strangers at once; one visitor's acts follow each other. */
const LANES = 4

/** Everybody arrives: the console is full within seconds. */
export async function burst(world: World, stopped = () => false): Promise<void> {
  const queue = world.visitors.entries()
  const lane = async () => {
    for (const [n, visitor] of queue) if (!stopped()) await arrive(world, visitor, n)
  }
  await Promise.all([...Array.from({ length: LANES }, lane), swarm(world, stopped)])
  await correspond(world, stopped)
}

async function arrive(world: World, visitor: Visitor, n: number): Promise<void> {
  const { who, profile } = visitor
  if (n % 6 === 5) await forge(world, visitor)
  if ('wallet' in who && who.way !== 'graphql' && n % 8 === 3) await replay(world, visitor)
  let session = await signIn(world, visitor, visitor.devices[0]!)
  if (!session) return
  await look(world, visitor, session)
  await tell(world, visitor, n)
  if (n % 4 === 0) {
    // Another device: beyond the limit of the app, the one before is ended.
    const times = visitor.app.slug === 'mini-wallet' ? 1 + (n % 5) : 1
    for (let time = 0; time < times; time++) {
      session = (await signIn(world, visitor, visitor.devices.at(-1)!)) ?? session
    }
  }
  if (profile) await makeProfile(world, visitor, session, profile)
  if (n % 2 === 0) await introspect(world, visitor.app, session)
  if (visitor.toBeBlocked) {
    await block(world, visitor)
    await signIn(world, visitor, visitor.devices[0]!)
  } else if (visitor.app.rotation && n % 13 === 2) await stealRefreshToken(world, visitor, session)
  else if (n % 5 === 1) await refresh(world, visitor, session)
  else if (n % 9 === 2) await logOut(world, visitor, session)
  else if (n % 17 === 3) await logOutEverywhere(world, visitor, session)
  else if (n % 31 === 4) await revokeByOperator(world, visitor, session)
  else if (n % 23 === 8) await revokeByApp(world, visitor, session)
}

/** Then a gentle life goes on, an act at a time, until it is stopped. An operator may be trying things out meanwhile, so nothing is too strange for it. */
export async function live(world: World, stopped: () => boolean, pauseMs = 250): Promise<void> {
  while (!stopped()) {
    await act(world, world.random.pick(world.visitors))
    await sleep(pauseMs / 2 + world.random.int(pauseMs))
  }
}

async function act(world: World, visitor: Visitor): Promise<void> {
  const { random } = world
  if (random.chance(3)) return forge(world, visitor)
  if (random.chance(15)) return tell(world, visitor, random.int(1000))
  const session = visitor.sessions.length > 0 ? random.pick(visitor.sessions) : undefined
  if (!session) {
    // Who signed out stays away for a while, and who is blocked gives up.
    if (!visitor.toBeBlocked && random.chance(50)) await signIn(world, visitor, random.pick(visitor.devices))
    return
  }
  // An app renews what is nearly over before it uses it.
  if (world.now().getTime() >= session.freshUntil && !(await refresh(world, visitor, session))) return
  const what = random.int(100)
  if (what < 15 && 'wallet' in visitor.who) await pay(world, visitor, session)
  else if (what < 60) await look(world, visitor, session)
  else if (what < 72) await introspect(world, visitor.app, session)
  else if (what < 84) await refresh(world, visitor, session)
  else if (what < 93) await signIn(world, visitor, random.pick(visitor.devices))
  else if (what < 99) await logOut(world, visitor, session)
  else await logOutEverywhere(world, visitor, session)
}

/** Nabi's profiles, of the first wallets. */
const profiles: Profile[] = [
  { handle: 'tonfarer', data: { name: 'Ton Farer', bio: 'Walks from block to block.', statusEmoji: '🧭' } },
  { handle: 'mira-kent', data: { name: 'Mira Kent', location: 'Lisboa', twitter: 'mirakent' } },
  { handle: 'gate_keeper', data: { name: 'Gate Keeper', statusText: 'Building' } },
  { handle: 'okonkwo', data: { name: 'Chidi Okonkwo', location: 'Lagos', statusEmoji: '🎮' } },
  { handle: 'yuzu-yuzu', data: { name: '柚子', bio: '週末だけ遊びます。' } },
  { handle: 'nordlicht', data: { name: 'Nordlicht', location: 'Tromsø', statusEmoji: '🌌' } },
  { handle: 'kestrel', data: { name: 'Kestrel', bio: 'Collects rare jettons.', statusText: 'Away until Monday' } },
]
