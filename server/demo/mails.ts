import { setTimeout as sleep } from 'node:timers/promises'
import { newDevice } from './devices.ts'
import { callAs, signIn, type Session, type Visitor, type World } from './visitor.ts'
import { walletOf } from './wallets.ts'

/** What everybody here signs with. */
const PIN = '2580'
const languages = ['de', 'en', 'es', 'fr', 'pt-br', 'ru', 'tr', 'zh-hans']
const WRITERS = 12

/** Some people give an address and do what is told by mail, in their languages; the last one moves to a wallet and takes the account along. */
export async function correspond(world: World, stopped: () => boolean): Promise<void> {
  const writers = world.visitors.filter(
    ({ who, toBeBlocked }) => !toBeBlocked && 'person' in who && languages.includes(who.person.language_code),
  )
  for (const [n, writer] of writers.slice(0, WRITERS).entries()) {
    if (stopped()) return
    const session = await signIn(world, writer, writer.devices[0]!)
    if (session) await stories[n % stories.length]!(world, writer, session)
  }
  if (!stopped()) await moveToWallet(world, stopped)
}

type Story = (world: World, visitor: Visitor, session: Session) => Promise<void>
type State = { set: boolean; resetLockedUntil: string | null }

const stories: Story[] = [
  async function changeSignature(world, visitor, session) {
    await giveSignature(world, visitor, session)
    const json = { signature: PIN, currentSignature: PIN }
    const path = '/v1/me/signature'
    await callAs(world, visitor, session, 'change the signature', { method: 'PUT', path, json, expect: 204 })
  },
  async function forgetSignature(world, visitor, session) {
    await giveSignature(world, visitor, session)
    await askReset(world, visitor, session)
  },
  async function chooseQuestions(world, visitor, session) {
    await giveSignature(world, visitor, session)
    const json = {
      questions: [{ question: 'Whose photograph hangs in the hall?', answer: 'Aunt Olga' }],
      currentSignature: PIN,
    }
    const path = '/v1/me/signature/recovery-questions'
    await callAs(world, visitor, session, 'choose questions', { method: 'PUT', path, json, expect: 204 })
  },
  /** The fifth wrong code ends the reset and all sessions. For an hour nobody tries again. */
  async function guessCode(world, visitor, session) {
    const { resetLockedUntil } = await giveSignature(world, visitor, session)
    if (resetLockedUntil !== null) return
    await askReset(world, visitor, session)
    const path = '/v1/me/signature/reset/confirm'
    for (const digit of [1, 2, 3, 4, 5]) {
      const json = { code: String(digit).repeat(6), newSignature: PIN }
      await callAs(world, visitor, session, 'guess a code', { path, json, expect: digit < 5 ? 400 : 423 })
    }
    visitor.sessions = []
  },
]

const emailOf = ({ who }: Visitor): string =>
  'person' in who ? `${who.person.username ?? `u${who.person.id}`}@people.example.com` : ''

/** Notes the visitor's address, and sets a signature where none is set yet. */
async function giveSignature(world: World, visitor: Visitor, session: Session): Promise<State> {
  const me = { method: 'PATCH', path: '/v1/me', json: { email: emailOf(visitor) } } as const
  await callAs(world, visitor, session, 'give an address', me)
  const path = '/v1/me/signature'
  const { body } = await callAs<State>(world, visitor, session, 'look at the signature', { method: 'GET', path })
  const json = { signature: PIN }
  if (!body.set) await callAs(world, visitor, session, 'set a signature', { method: 'PUT', path, json, expect: 204 })
  return body
}

async function askReset(world: World, visitor: Visitor, session: Session): Promise<void> {
  const path = '/v1/me/signature/reset'
  await callAs(world, visitor, session, 'ask for a reset', { path, json: {}, expect: 202 })
}

/** Somebody of Telegram proves their address by a mailed code, and then joins their account to that of their wallet by another. */
async function moveToWallet(world: World, stopped: () => boolean): Promise<void> {
  const app = world.apps.find(({ slug }) => slug === 'mini-wallet')!
  const base = { app, devices: [newDevice(world.random)], sessions: [] }
  const person = { id: 7_345_678_901, first_name: 'Clara', username: 'clara_moves', language_code: 'de' }
  const before: Visitor = { ...base, who: { person } }
  const after: Visitor = { ...base, who: { wallet: walletOf('V5R1', 'demo wallet of Clara'), way: 'ton_proof' } }
  const [old, session] = [await signIn(world, before, base.devices[0]!), await signIn(world, after, base.devices[0]!)]
  // In a later run of the demo they are one already.
  if (!old || !session || before.userId === after.userId) return

  const to = emailOf(before)
  await giveSignature(world, before, old)
  const reset = await readCode(world, { to, kind: 'verification_code_reset_signature' }, stopped, () =>
    askReset(world, before, old),
  )
  if (reset === undefined) return
  await callAs(world, before, old, 'confirm a reset', {
    path: '/v1/me/signature/reset/confirm',
    json: { code: reset, newSignature: PIN },
    expect: 204,
  })
  const link = await readCode(world, { to, kind: 'verification_code_link_account' }, stopped, async () => {
    await callAs(world, after, session, 'ask for a link', { path: '/v1/me/link', json: { email: to }, expect: 202 })
  })
  if (link === undefined) return
  await callAs(world, after, session, 'link accounts', {
    path: '/v1/me/link/confirm',
    json: { code: link, otherSignature: PIN },
  })
}

type Mail = { id: string; subject: string | null; text: string | null }

/** How long a mail may take to be written. */
const PATIENCE = 100
const PAUSE_MS = 100

/** The code of the mail that `ask` brings about. There is no mailbox, so the person reads it where operators do, in the outbox. */
async function readCode(
  { client, operator: headers }: World,
  { to, kind }: { to: string; kind: string },
  stopped: () => boolean,
  ask: () => Promise<void>,
): Promise<string | undefined> {
  const path = `/api/v1/emails?${new URLSearchParams({ q: to, kind, limit: '1' }).toString()}`
  const newest = async () =>
    (await client.call<{ items?: Mail[] }>('look for a mail', { method: 'GET', path, headers })).body.items?.[0]
  const last = await newest()
  await ask()
  for (let tries = 0; tries < PATIENCE && !stopped(); tries++) {
    const mail = await newest()
    if (mail && mail.id !== last?.id && mail.subject !== null) {
      const read = { path: `/api/v1/emails/${mail.id}/reveal`, headers, json: {} }
      const { body } = await client.call<Mail>('read a mail', read)
      return /\b\d{6}\b/.exec(body.text ?? '')?.[0]
    }
    await sleep(PAUSE_MS)
  }
  if (!stopped()) client.tally.unexpected.push(`read a mail: none of the kind ${kind} came`)
  return undefined
}
