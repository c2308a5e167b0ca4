import type { EventType, Group } from './catalogue.ts'
import { translationsOf } from './translations.ts'

type Definition = {
  key: string
  group: Group
  description: string
  title: string
  body: string
  sample: Record<string, string>
  /** Members of the sample that may be missing. */
  optional?: string[]
  people?: boolean
}

function define({ key, title, body, optional = [], people = false, ...type }: Definition): EventType {
  const names = Object.keys(type.sample)
  return {
    ...type,
    key,
    op: key,
    unit: 's',
    schema: {
      type: 'object',
      properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
      required: names.filter((name) => !optional.includes(name)),
    },
    templates: { en: { title, body }, ...translationsOf(key) },
    origin: 'system',
    people,
  }
}

const userId = 'usr_5w2k9r0c8v3m7q1x4z6b2n8d0f'
const sessionId = 'ses_1c7q4m9x2v5k8r3z6b0n2d4f8g'
const at = '2026-06-01T12:00:00.000Z'

/** What Gatehouse itself tells an app of its people. */
export const systemTypes: EventType[] = [
  define({
    key: 'user.logout',
    group: 'security',
    description: 'A session was ended for the person, not by them: sign them out in your app',
    title: 'Signed out',
    body: 'Your session was ended. Sign in again to go on.',
    sample: { userId, sessionId, method: 'telegram', reason: 'limit_exceeded', endedAt: at },
  }),
  define({
    key: 'session.created',
    group: 'security',
    description: 'Somebody signed in',
    title: 'New sign-in',
    body: 'Your account was signed in to.',
    sample: { userId, sessionId, method: 'telegram', createdAt: at, ip: '203.0.113.7', userAgent: 'Telegram-iOS/12.1' },
    optional: ['ip', 'userAgent'],
  }),
  define({
    key: 'session.ended',
    group: 'security',
    description: 'A session is over, for whatever reason',
    title: 'Session ended',
    body: 'A session of your account is over.',
    sample: { userId, sessionId, method: 'telegram', reason: 'logout', endedAt: at },
  }),
  define({
    key: 'user.created',
    group: 'account',
    description: 'Somebody signed in for the first time',
    title: 'Welcome',
    body: 'Your account was created.',
    sample: { userId, method: 'telegram', createdAt: at },
  }),
  define({
    key: 'user.erased',
    group: 'account',
    description: 'A person was erased: erase what you hold on them too',
    title: 'Account erased',
    body: 'Your account was erased.',
    sample: { userId, erasedAt: at },
  }),
  define({
    key: 'wallet.linked',
    group: 'security',
    description: 'The person linked a wallet to their account',
    title: 'Wallet linked',
    body: 'The wallet {address} was linked to your account.',
    sample: { userId, address: '0:83dfd552e63729b472fcbcc8c45ebcc6691702558b68ec7527e1ba403a0f31a8', linkedAt: at },
    people: true,
  }),
  define({
    key: 'wallet.unlinked',
    group: 'security',
    description: 'The person removed a wallet from their account',
    title: 'Wallet removed',
    body: 'The wallet {address} was removed from your account.',
    sample: { userId, address: '0:83dfd552e63729b472fcbcc8c45ebcc6691702558b68ec7527e1ba403a0f31a8', unlinkedAt: at },
    people: true,
  }),
  define({
    key: 'email.bounced',
    group: 'account',
    description: 'A mail to the person could not be delivered',
    title: 'Mail not delivered',
    body: 'A mail to you could not be delivered.',
    sample: { userId, kind: 'signature_updated', reason: 'mailbox unavailable', bouncedAt: at },
    optional: ['userId'],
  }),
]
