import { describe, expect, test } from 'vitest'
import {
  createProfile,
  findProfile,
  graphql,
  me,
  newWallet,
  refusedWith,
  signIn,
  updateProfile,
  type Wallet,
} from '../graphql/nabi.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'
import type { App } from '#server/app/app.ts'

async function start() {
  const server = await startServer()
  return { server, app: await telegramApp(server) }
}

async function withProfile(server: TestServer, app: App, handle: string, wallet: Wallet = newWallet()) {
  const { accessToken } = await signIn(server, app, wallet)
  const created = await createProfile(server, app, accessToken, { handle, address: wallet.raw })
  return { wallet, token: accessToken, profileId: created.body['data'].createProfile.profileId as string }
}

const everything = {
  name: 'Alice Ito',
  bio: 'Two lines\nof text',
  location: 'Kyoto',
  twitter: 'alice_ito',
  coverPicture: 'https://example.com/cover.png',
  profilePicture: 'https://example.com/alice.png',
  statusEmoji: '🚪',
  statusText: 'at the gate',
}
const nothing = Object.fromEntries(Object.keys(everything).map((field) => [field, null]))

test('a profile is made for the wallet that the token was issued to, and everybody can read it', async () => {
  const { server, app } = await start()
  const wallet = newWallet()
  const { accessToken } = await signIn(server, app, wallet)
  const input = { handle: 'Alice-Ito_1', address: wallet.friendly(true) }
  const created = await createProfile(server, app, accessToken, input)
  expect(created.status).toBe(200)
  const profile = created.body['data'].createProfile
  expect(profile).toEqual({
    id: expect.stringMatching(/^pro_/),
    profileId: profile.id,
    handle: 'Alice-Ito_1',
    ownedBy: wallet.raw,
    ...nothing,
  })

  for (const handle of ['Alice-Ito_1', 'alice-ito_1']) {
    expect((await findProfile(server, app, handle)).body['data'].profile).toEqual(profile)
  }
  for (const handle of ['nobody', '', '%', 'x'.repeat(5_000)]) {
    const answer = await findProfile(server, app, handle)
    expect([answer.status, answer.body]).toEqual([200, { data: { profile: null } }])
  }
  const other = await server.createApp({ slug: 'other' })
  expect((await findProfile(server, other, 'Alice-Ito_1')).body['data'].profile).toBeNull()
})

test('fields are set, kept and removed', async () => {
  const { server, app } = await start()
  const { token, profileId } = await withProfile(server, app, 'alice')
  const update = async (data: Record<string, unknown>) =>
    (await updateProfile(server, app, token, { profileId, data })).body['data'].updateProfile

  expect(await update(everything)).toMatchObject(everything)
  expect(await update({ name: '', twitter: null, location: 'Nara' })).toMatchObject({
    ...everything,
    name: null,
    location: 'Nara',
  })
  expect(await update({ coverPicture: '', never: undefined })).toMatchObject({ coverPicture: null, location: 'Nara' })
  expect((await findProfile(server, app, 'alice')).body['data'].profile).toMatchObject({ bio: everything.bio })
})

test('changes made at once do not lose each other’s fields', async () => {
  const { server, app } = await start()
  const { token, profileId } = await withProfile(server, app, 'alice')
  const updates = Object.entries(everything).map(([field, value]) =>
    updateProfile(server, app, token, { profileId, data: { [field]: value } }),
  )
  expect((await Promise.all(updates)).map(({ status }) => status)).toEqual(updates.map(() => 200))
  expect((await findProfile(server, app, 'alice')).body['data'].profile).toMatchObject(everything)
})

describe('a token serves its own address only', () => {
  test('not a profile of another wallet', async () => {
    const { server, app } = await start()
    const alice = await withProfile(server, app, 'alice')
    const bob = await withProfile(server, app, 'bobby')
    const foreign = await updateProfile(server, app, bob.token, {
      profileId: alice.profileId,
      data: { name: 'Mallory' },
    })
    expect(refusedWith(foreign)).toEqual([400, 'profile_not_owned'])
    expect(foreign.body['data']).toEqual({ updateProfile: null })
    expect((await findProfile(server, app, 'alice')).body['data'].profile.name).toBeNull()
  })

  test('nor a new one in the name of another wallet, even one that has signed in', async () => {
    const { server, app } = await start()
    const [alice, bob] = [newWallet(), newWallet()]
    const tokens = await signIn(server, app, alice)
    await signIn(server, app, bob)
    for (const address of [bob.raw, bob.friendly(false), newWallet().raw, alice.raw.replace('0:', '-1:')]) {
      const refused = await createProfile(server, app, tokens.accessToken, { handle: 'alice', address })
      expect(refusedWith(refused)).toEqual([400, 'profile_not_owned'])
    }
    expect((await findProfile(server, app, 'alice')).body['data'].profile).toBeNull()
  })

  test('nor anything for a login without a wallet', async () => {
    const { server, app } = await start()
    const alice = await withProfile(server, app, 'alice')
    const login = await signInWithTelegram(server, app)
    const token = login.body['accessToken'] as string
    const { profileId, wallet } = alice
    expect(refusedWith(await createProfile(server, app, token, { handle: 'bobby', address: wallet.raw }))).toEqual([
      400,
      'profile_not_owned',
    ])
    expect(refusedWith(await updateProfile(server, app, token, { profileId, data: { name: 'Mallory' } }))).toEqual([
      400,
      'profile_not_owned',
    ])
    const known = await me(server, app, token)
    expect(known.body['data'].me).toMatchObject({ address: null, profiles: [], session: { method: 'telegram' } })
  })

  test('nor a profile of another app', async () => {
    const { server, app } = await start()
    const other = await server.createApp({ slug: 'other' })
    const wallet = newWallet()
    const here = await withProfile(server, app, 'alice', wallet)
    const there = await withProfile(server, other, 'alice', wallet)
    const input = { profileId: there.profileId, data: { name: 'Mallory' } }
    expect(refusedWith(await updateProfile(server, app, here.token, input))).toEqual([404, 'not_found'])
    expect(refusedWith(await updateProfile(server, other, here.token, input))).toEqual([401, 'token_invalid'])
  })

  test('and without a token nothing is written', async () => {
    const { server, app } = await start()
    const { profileId, wallet } = await withProfile(server, app, 'alice')
    const mutations = [
      `createProfile(input: { handle: "bobby", address: "${wallet.raw}" })`,
      `updateProfile(input: { profileId: "${profileId}", data: { name: "Mallory" } })`,
    ]
    for (const mutation of mutations) {
      expect(refusedWith(await graphql(server, app, `mutation { ${mutation} { id } }`))).toEqual([401, 'token_invalid'])
    }
    expect((await findProfile(server, app, 'alice')).body['data'].profile.name).toBeNull()
  })
})

test('a handle belongs to one profile of an app, whatever its case', async () => {
  const { server, app } = await start()
  await withProfile(server, app, 'Alice')
  const bob = newWallet()
  const { accessToken } = await signIn(server, app, bob)
  const taken = await createProfile(server, app, accessToken, { handle: 'aLICE', address: bob.raw })
  expect(refusedWith(taken)).toEqual([409, 'conflict'])

  const race = await Promise.all(
    Array.from({ length: 20 }, () => createProfile(server, app, accessToken, { handle: 'bobby', address: bob.raw })),
  )
  expect(race.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(race.filter(({ status }) => status === 409)).toHaveLength(19)
  const other = await server.createApp({ slug: 'other' })
  await withProfile(server, other, 'Alice')
})

test.each(['abc', 'with space', 'dot.ted', 'ünïcode', 'line\nfeed', 'tail\n', ''])(
  'the handle %j is refused',
  async (handle) => {
    const { server, app } = await start()
    const wallet = newWallet()
    const { accessToken } = await signIn(server, app, wallet)
    const refused = await createProfile(server, app, accessToken, { handle, address: wallet.raw })
    expect(refusedWith(refused)).toEqual([400, 'invalid_request'])
    expect(refused.body['errors'][0].extensions.errors).toEqual([{ path: 'handle', message: expect.any(String) }])
  },
)

test('handles of 4 to 255 characters are taken', async () => {
  const { server, app } = await start()
  for (const handle of ['abcd', 'x'.repeat(255)]) await withProfile(server, app, handle)
  const wallet = newWallet()
  const { accessToken } = await signIn(server, app, wallet)
  const refused = await createProfile(server, app, accessToken, { handle: 'x'.repeat(256), address: wallet.raw })
  expect(refusedWith(refused)).toEqual([400, 'invalid_request'])
})

test.each([
  ['a name of 256 characters', 'name', 'x'.repeat(256)],
  ['a name of two lines', 'name', 'two\nlines'],
  ['a bio of 2001 characters', 'bio', 'x'.repeat(2001)],
  ['a bio that rings the bell', 'bio', 'bell\u0007'],
  ['a status of a NUL', 'statusText', '\u0000'],
  ['a picture over plain http', 'profilePicture', 'http://example.com/a.png'],
  ['a picture that is a script', 'profilePicture', 'javascript:alert(1)'],
  ['a picture behind a password', 'coverPicture', 'https://user:secret@example.com/a.png'],
  ['a picture of an endless address', 'coverPicture', `https://example.com/${'x'.repeat(2000)}`],
])('%s is refused', async (_what, field, value) => {
  const { server, app } = await start()
  const { token, profileId } = await withProfile(server, app, 'alice')
  const refused = await updateProfile(server, app, token, { profileId, data: { [field]: value } })
  expect(refusedWith(refused)).toEqual([400, 'invalid_request'])
  expect(refused.body['errors'][0].extensions.errors[0].path).toBe(`data.${field}`)
})

test.each(['pro_00000000000000000000000000', 'usr_1', '', '1'])(
  'there is no profile %j to change',
  async (profileId) => {
    const { server, app } = await start()
    const { accessToken } = await signIn(server, app)
    const refused = await updateProfile(server, app, accessToken, { profileId, data: { name: 'x' } })
    expect(refusedWith(refused)).toEqual([404, 'not_found'])
  },
)

test('what a profile tells lies encrypted in the database', async () => {
  const { server, app } = await start()
  const { token, profileId, wallet } = await withProfile(server, app, 'alice')
  await updateProfile(server, app, token, { profileId, data: everything })
  const { listByOwner } = await import('#server/profile/store.ts')
  const rows = await listByOwner(server.runtime.db, app.id, wallet.raw, 10)
  expect(rows).toHaveLength(1)
  for (const value of Object.values(everything)) expect(rows[0]!.dataSealed.includes(value)).toBe(false)
})
