import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { inflateSync } from 'node:zlib'
import { createLocalJWKSet, decodeJwt, jwtVerify, type JSONWebKeySet } from 'jose'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { App } from '../../server/app/app.ts'
import { changeApp } from '../../server/app/change.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { sweep } from '../../server/sweep.ts'
import { LIST_SIZE, statusIndex } from '../../server/token/statusIndex.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'

const issuer = 'http://localhost:3000'

type Place = { idx: number; uri: string }
const placeOf = (token: string) => (decodeJwt(token)['status'] as { status_list: Place }).status_list

/** The list as a verifier gets it, its signature checked. */
async function fetchList(server: TestServer, uri: string) {
  const response = await fetch(uri.replace(issuer, server.url))
  const text = await response.text()
  const jwks = (await (await fetch(`${server.url}/.well-known/jwks.json`)).json()) as JSONWebKeySet
  const { payload } = await jwtVerify(text, createLocalJWKSet(jwks), {
    issuer,
    typ: 'statuslist+jwt',
    algorithms: ['EdDSA'],
    currentDate: server.clock.now,
  })
  const list = payload['status_list'] as { bits: number; lst: string }
  return { response, text, payload, list, bytes: inflateSync(Buffer.from(list.lst, 'base64url')) }
}

const bit = (bytes: Buffer, idx: number) => (bytes[idx >> 3]! >> (idx & 7)) & 1

/** A list may be some milliseconds old, so it is looked at until it says what it should. */
async function expectBits(server: TestServer, tokens: string[], bits: number[]): Promise<void> {
  await expect
    .poll(
      async () => {
        const { bytes } = await fetchList(server, placeOf(tokens[0]!).uri)
        return tokens.map((token) => bit(bytes, placeOf(token).idx))
      },
      { timeout: 5_000 },
    )
    .toEqual(bits)
}

const signIn = async (server: TestServer, app: App) =>
  (await signInWithTelegram(server, app)).body['accessToken'] as string

describe('the Token Status List', () => {
  test('is what the draft says, and named by every access token', async () => {
    const server = await startServer()
    const app = await telegramApp(server)
    const { idx, uri } = placeOf(await signIn(server, app))
    expect(uri).toBe(`${issuer}/v1/apps/${app.publicId}/revocations`)
    expect(idx).toBeLessThan(LIST_SIZE)
    const { response, payload, list, bytes, text } = await fetchList(server, uri)
    const now = server.clock.now.getTime() / 1000
    expect(payload).toEqual({ iss: issuer, sub: uri, iat: now, exp: now + 600, ttl: 30, status_list: list })
    expect(list.bits).toBe(1)
    expect(bytes.length * 8).toBe(LIST_SIZE)
    expect(response.headers.get('content-type')).toBe('application/statuslist+jwt')
    expect(response.headers.get('cache-control')).toBe('public, max-age=30')
    expect(text.length).toBeLessThan(1_000)
    const bySlug = await fetchList(server, uri.replace(app.publicId, app.slug))
    expect(bySlug.payload.sub).toBe(uri)
  })

  test('has the bit of every session that ended, and of no other', async () => {
    const server = await startServer()
    const app = await telegramApp(server)
    const other = await telegramApp(server, { slug: 'other' })
    const first = await signIn(server, app)
    await expectBits(server, [first], [0])
    const second = await signIn(server, app)
    const elsewhere = await signIn(server, other)
    await expectBits(server, [first, second], [1, 0])
    await call(server, 'POST', '/v1/logout', { token: second })
    await expectBits(server, [first, second], [1, 1])
    await expectBits(server, [elsewhere], [0])
    const { bytes } = await fetchList(server, placeOf(elsewhere).uri)
    expect(bytes.every((byte) => byte === 0)).toBe(true)
    const third = await signIn(server, app)
    await call(server, 'DELETE', '/v1/me', { token: third })
    await expectBits(server, [third], [1])
    const fourth = await signIn(server, app)
    await changeApp(server.runtime, cliActor, app.id, { disabled: true })
    await expectBits(server, [first, second, third, fourth], [1, 1, 1, 1])
  })

  test('forgets a session when none of its tokens can be valid any more', async () => {
    const server = await startServer()
    const app = await telegramApp(server)
    const [ended, erased] = [await signIn(server, app), await signIn(server, app)]
    await call(server, 'DELETE', '/v1/me', { token: erased })
    await expectBits(server, [ended, erased], [1, 1])
    server.clock.pass(86_400)
    await expectBits(server, [ended, erased], [0, 0])
    server.clock.pass(3_600)
    expect((await sweep(server.runtime)).erasures).toBe(2)
  })

  test('there is none of an app that is not, or of nonsense', async () => {
    const server = await startServer()
    const app = await telegramApp(server)
    for (const path of [
      'nobody/revocations',
      ...['-1', '1.5', 'x', '1e9', '9999999'].map((n) => `${app.slug}/revocations?list=${n}`),
    ])
      expect((await call(server, 'GET', `/v1/apps/${path}`)).status).toBe(404)
    const far = await fetchList(server, `${issuer}/v1/apps/${app.publicId}/revocations?list=7`)
    expect(far.payload.sub).toBe(`${issuer}/v1/apps/${app.publicId}/revocations?list=7`)
  })

  test('comes in one form, and of now', async () => {
    const server = await startServer()
    const app = await telegramApp(server)
    const ask = async (accept: string, query = '') => {
      const { status, body } = await call(server, 'GET', `/v1/apps/${app.slug}/revocations${query}`, {
        headers: { accept },
      })
      return [status, body['code']]
    }
    for (const accept of ['*/*', 'application/*', 'application/statuslist+cwt, application/statuslist+jwt;q=0.5'])
      expect(await ask(accept)).toEqual([200, undefined])
    for (const accept of ['application/statuslist+cwt', 'application/json'])
      expect(await ask(accept)).toEqual([406, 'not_acceptable'])
    expect(await ask('*/*', '?time=1780315200')).toEqual([501, 'not_implemented'])
  })

  test('gives every session a place of its own that tells nothing of the order', async () => {
    const { runtime } = await startServer()
    const seen = new Uint8Array(LIST_SIZE)
    let neighbours = 0
    let last = -1
    for (let id = 0; id < LIST_SIZE; id++) {
      const { list, index } = statusIndex(runtime.vault, id)
      expect(list === 0 && seen[index] === 0).toBe(true)
      seen[index] = 1
      if (Math.abs(index - last) < 16) neighbours++
      last = index
    }
    expect(neighbours).toBeLessThan(LIST_SIZE / 1_000)
    expect(statusIndex(runtime.vault, LIST_SIZE * 3 + 5)).toEqual({
      list: 3,
      index: statusIndex(runtime.vault, 5).index,
    })
  }, 60_000)

  test('stays within 128 KiB and a signature when a hundred thousand sessions ended today', async () => {
    const { runtime } = await startServer()
    const bits = Buffer.alloc(LIST_SIZE / 8)
    for (let id = 1; id <= 100_000; id++) {
      const { index } = statusIndex(runtime.vault, id)
      bits[index >> 3]! |= 1 << (index & 7)
    }
    const { deflateSync } = await import('node:zlib')
    expect(deflateSync(bits, { level: 9 }).length).toBeLessThan(90_000)
  })
})

describe('the verifier in the documentation', () => {
  test('accepts a live token, and refuses one whose session was ended, of another app, or forged', async () => {
    // Its keys and lists come over the network, so the server's address is its issuer, and its clock the real one.
    const first = await startServer({ now: new Date() })
    const port = new URL(first.url).port
    await first.stop()
    const server = await startServer({
      now: new Date(),
      env: { GATEHOUSE_PUBLIC_URL: `http://127.0.0.1:${port}`, PORT: port },
    })
    const app = await telegramApp(server, { audiences: ['quest'] })
    const createVerifier = await loadVerifier()
    const verify = createVerifier({ issuer: server.url, audience: 'quest' })

    const token = await signIn(server, app)
    expect(await verify(token)).toMatchObject({ aud: 'quest', client_id: app.publicId })
    const [head, body, signature] = token.split('.')
    await expect(verify(`${head}.${body}.${signature!.split('').reverse().join('')}`)).rejects.toThrow()
    await expect(createVerifier({ issuer: server.url, audience: 'elsewhere' })(token)).rejects.toThrow(/aud/)
    const list = await (await fetch(placeOf(token).uri)).text()
    await expect(verify(list)).rejects.toThrow(/typ/)

    await call(server, 'POST', '/v1/logout', { token })
    await expect
      .poll(
        () => createVerifier({ issuer: server.url, audience: 'quest' })(token).catch((error: Error) => error.message),
        { timeout: 5_000 },
      )
      .toBe('This session was ended')
  })
})

type Verify = (token: string) => Promise<Record<string, unknown>>

/** The page's own code, as somebody would paste it. */
async function loadVerifier(): Promise<(options: { issuer: string; audience: string }) => Verify> {
  const page = readFileSync(new URL('../../docs/offline-verification.md', import.meta.url), 'utf8')
  const [, code] = /```js\n([\s\S]+?)```/.exec(page)!
  expect(code!.trim().split('\n').length).toBeLessThanOrEqual(34)
  const folder = mkdtempSync(join(fileURLToPath(new URL('..', import.meta.url)), '.verifier-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'verifier.mjs')
  writeFileSync(file, code!)
  const loaded = (await import(pathToFileURL(file).href)) as {
    createVerifier: (options: { issuer: string; audience: string }) => Verify
  }
  return loaded.createVerifier
}
