import { expect, test } from 'vitest'
import { parseAddress } from '../../server/email/address.ts'
import { localeOf } from '../../server/email/kinds.ts'
import { queueEmail } from '../../server/email/queue.ts'
import { findEmail } from '../../server/email/store.ts'
import { startServer } from '../support/server.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'

test('a mail is a row of the transaction that caused it: gone when that fails, encrypted when it stands', async () => {
  const server = await startServer()
  const { runtime } = server
  const app = await telegramApp(server)
  const login = await signInWithTelegram(server, app)
  const userId = runtime.vault.ids.parse('usr', login.body['user'].id)!
  const mail = {
    app,
    userId,
    kind: 'verification_code_reset_signature',
    to: 'ada@example.org',
    locale: 'pt',
    variables: { code: '493817' },
    expiresAt: new Date(server.clock.now.getTime() + 600_000),
  } as const

  const failing = runtime.db.transaction(async (tx) => {
    await queueEmail(runtime, tx, mail)
    throw new Error('the flow failed')
  })
  await expect(failing).rejects.toThrow('the flow failed')
  expect(await findEmail(runtime.db, 1)).toBeUndefined()

  const id = await runtime.db.transaction((tx) => queueEmail(runtime, tx, mail))
  const row = (await findEmail(runtime.db, id))!
  expect(row).toMatchObject({ kind: mail.kind, userId, locale: 'pt-BR', status: 'queued', nextAt: server.clock.now })
  const bytes = Buffer.concat([row.toSealed, row.toHash, row.variablesSealed!]).toString('latin1')
  expect(bytes).not.toContain('493817')
  expect(bytes).not.toContain('ada@')
})

test('what is no address makes a mail that failed, and undoes nothing', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const id = await server.runtime.db.transaction((tx) =>
    queueEmail(server.runtime, tx, {
      app,
      userId: null,
      kind: 'signature_updated',
      to: 'ada@example.org\r\nBcc: eve@example.com',
      variables: {},
    }),
  )
  expect(await findEmail(server.runtime.db, id)).toMatchObject({ status: 'failed', reason: 'address_invalid' })
})

test('a mail with a code is refused without its code or its end', async () => {
  const server = await startServer()
  const app = await telegramApp(server)
  const queue = (more: object) =>
    server.runtime.db.transaction((tx) =>
      queueEmail(server.runtime, tx, {
        app,
        userId: null,
        kind: 'verification_code_link_account',
        to: 'ada@example.org',
        variables: {},
        ...more,
      }),
    )
  await expect(queue({ expiresAt: server.clock.now })).rejects.toThrow('needs a code')
  await expect(queue({ variables: { code: '123456' } })).rejects.toThrow('needs a code')
})

test.each([
  ['ada@example.org', 'ada@example.org'],
  ['Ada.L+x@Example.ORG', 'Ada.L+x@example.org'],
  ['ada@bücher.example', 'ada@xn--bcher-kva.example'],
  ['ada@example.org, eve@example.com', undefined],
  ['Ada <ada@example.org>', undefined],
  ['ada@example.org\r\nBcc: eve@example.com', undefined],
  ['ada@exam\tple.org', undefined],
  ['"ada eve"@example.org', undefined],
  ['ada@localhost', undefined],
  ['ada@[127.0.0.1]', undefined],
  ['ada@127.0.0.1', undefined],
  ['a..b@example.org', undefined],
  ['ada@example..org', undefined],
  ['ada@-example.org', undefined],
  ['ada\u202e@example.org', undefined],
  ['@example.org', undefined],
  [`${'a'.repeat(65)}@example.org`, undefined],
  [`a@${'b'.repeat(60)}.${'c'.repeat(63)}.${'d'.repeat(63)}.${'e'.repeat(63)}.org`, undefined],
  ['', undefined],
])('%j is the address %j', (text, address) => expect(parseAddress(text)).toBe(address))

test.each([
  ['pt-BR', 'pt-BR'],
  ['pt-PT', 'pt-BR'],
  ['zh-Hans-CN', 'zh-CN'],
  ['de_AT', 'de'],
  ['xx', 'fr'],
  [undefined, 'fr'],
])('a person who reads %s is written to in %s where the app writes French', (wanted, locale) =>
  expect(localeOf(wanted, 'fr')).toBe(locale),
)
