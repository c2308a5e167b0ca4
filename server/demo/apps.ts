import type { NewApp } from '#server/app/settings.ts'
import type { Client } from './client.ts'
import { readTypes, type DemoType } from './events.ts'

/** An app as its own server knows it. */
export type DemoApp = {
  id: string
  slug: string
  /** Of the bot that the app belongs to; made up, and enough to sign initData with. */
  botToken: string
  domain: string
  /** For introspection, revocation and events. */
  apiKey: string
  /** What its server tells of. */
  types: DemoType[]
  /** Wallets may sign in, besides people of Telegram. */
  wallets: boolean
  rotation: boolean
}

/** What makes a request an operator's: a cookie or a bearer token. */
export type Credential = Record<string, string>

type Plan = NewApp & { slug: string; telegram: { botToken: string }; ton: { domains: string[] } }

/** The app whose Mini App is the page at /demo. */
export const quest: Plan = {
  name: 'Ton Quest',
  slug: 'ton-quest',
  audiences: ['ton-quest', 'https://api.quest.example.com'],
  telegram: { botToken: '7100000001:AAH0-DemoQuest-NotARealBotToken-00001' },
  ton: { domains: ['quest.example.com'], watch: true },
  allowedOrigins: ['https://quest.example.com'],
  branding: {
    appName: 'Ton Quest',
    supportEmail: 'help@quest.example.com',
    copyright: '© Quest Studio',
    primaryColor: '#0064bf',
  },
  sessionPolicy: { maxConcurrentSessions: 1 },
  rewardName: 'Quest points',
}

const plans: Plan[] = [
  quest,
  {
    name: 'Mini Wallet',
    slug: 'mini-wallet',
    audiences: ['mini-wallet'],
    telegram: { botToken: '7100000002:AAH0-DemoWallet-NotARealBotToken-0002' },
    ton: { domains: ['wallet.example.com', 'app.wallet.example.com'], watch: true },
    allowedOrigins: ['https://wallet.example.com', 'https://app.wallet.example.com'],
    branding: {
      appName: 'Mini Wallet',
      supportEmail: 'support@wallet.example.com',
      copyright: '© Mini Wallet',
      primaryColor: '#1f7a4d',
    },
    sessionPolicy: { maxConcurrentSessions: 3, accessTokenFormat: 'opaque', idleTimeout: 86_400 },
  },
  {
    name: 'Arena Bot',
    slug: 'arena-bot',
    audiences: ['arena'],
    telegram: { botToken: '7100000003:AAH0-DemoArena-NotARealBotToken-00003', maxAge: 3600 },
    ton: { domains: [] },
    allowedOrigins: ['https://arena.example.com'],
    branding: { appName: 'Arena', supportEmail: 'play@arena.example.com', primaryColor: '#8a3ffc' },
    sessionPolicy: { maxConcurrentSessions: 1, refreshRotation: true, accessTokenTtl: 900 },
  },
]

/** Makes what is missing of the three apps, and an API key for this run of each app's server. */
export async function makeApps(client: Client, operator: Credential): Promise<DemoApp[]> {
  const listed = await client.call('list the apps', {
    method: 'GET',
    path: '/api/v1/apps?limit=100',
    headers: operator,
  })
  const known = listed.body['items'] as { id: string; slug: string }[]
  const apps: DemoApp[] = []
  for (const plan of plans) {
    const id = known.find((app) => app.slug === plan.slug)?.id ?? (await makeApp(client, operator, plan))
    apps.push({
      id,
      slug: plan.slug,
      botToken: plan.telegram.botToken,
      domain: plan.ton.domains[0] ?? '',
      apiKey: await makeKey(client, operator, id),
      types: await readTypes(client, operator, { id, slug: plan.slug }),
      wallets: plan.ton.domains.length > 0,
      rotation: plan.sessionPolicy?.refreshRotation ?? false,
    })
  }
  return apps
}

async function makeApp(client: Client, operator: Credential, plan: Plan): Promise<string> {
  const made = await client.call('make an app', { path: '/api/v1/apps', headers: operator, json: plan, expect: 201 })
  return String(made.body['id'])
}

const KEY_NAME = 'Backend'

/** A key is shown only once, so that of a former run is replaced. */
async function makeKey(client: Client, operator: Credential, appId: string): Promise<string> {
  const path = `/api/v1/apps/${appId}/api-keys`
  const { body } = await client.call('list the API keys', { method: 'GET', path, headers: operator })
  for (const { id, name } of body['items'] as { id: string; name: string }[]) {
    if (name !== KEY_NAME) continue
    await client.call('remove the old API key', {
      method: 'DELETE',
      path: `${path}/${id}`,
      headers: operator,
      expect: 204,
    })
  }
  const made = await client.call('make an API key', {
    path,
    headers: operator,
    json: { name: KEY_NAME, scopes: ['tokens:introspect', 'tokens:revoke', 'events:write'] },
    expect: 201,
  })
  return String(made.body['key'])
}
