import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import type { App } from '#server/app/app.ts'
import type { Runtime } from '#server/runtime.ts'
import { signJwt } from './jwt.ts'
import { LIST_SIZE, statusIndex, statusListUri } from './statusIndex.ts'
import { listEndedIds } from './store.ts'

/** Seconds a verifier may keep a list before it looks again, and until a list is no longer to be used at all. */
export const STATUS_TTL = 30
const STATUS_LIFE = 600
/** No access token lives longer, so a session that ended before needs no bit: its tokens have expired. */
const LONGEST_TOKEN_MS = 86_400_000
/** A list is built anew at the earliest after this many times what building it took: a tenth of the process at most, whoever asks how often. */
const PAUSES = 10
const MOST_LISTS = 1_000

type Built = { token: Promise<string>; until: number }
const built = new WeakMap<Runtime, Map<string, Built>>()
const compress = promisify(deflate)

/**
 * The Token Status List (draft-ietf-oauth-status-list-17, `statuslist+jwt`) of an app's access tokens: bit 1 for a session that was ended, 0 for all
 * others. Whoever verifies tokens offline looks up the place that the token's `status` claim names.
 */
export function statusList(runtime: Runtime, app: App, list: number): Promise<string> {
  let lists = built.get(runtime)
  if (!lists) built.set(runtime, (lists = new Map<string, Built>()))
  const key = `${app.id} ${list}`
  const known = lists.get(key)
  if (known && performance.now() < known.until) return known.token

  const started = performance.now()
  const entry: Built = { token: build(runtime, app, list), until: Infinity }
  lists.delete(key)
  lists.set(key, entry)
  if (lists.size > MOST_LISTS) lists.delete(lists.keys().next().value!)
  const settle = () => (entry.until = performance.now() + PAUSES * (performance.now() - started))
  void entry.token.then(settle, () => lists.delete(key))
  return entry.token
}

async function build(runtime: Runtime, app: App, list: number): Promise<string> {
  const now = runtime.now()
  const bits = Buffer.alloc(LIST_SIZE / 8)
  const since = new Date(now.getTime() - LONGEST_TOKEN_MS)
  const [from, to] = [list * LIST_SIZE, (list + 1) * LIST_SIZE]
  for (const id of await listEndedIds(runtime.db, app.id, { since, from, to })) {
    const { index } = statusIndex(runtime.vault, id)
    bits[index >> 3]! |= 1 << (index & 7)
  }
  const iat = Math.floor(now.getTime() / 1000)
  return signJwt(await runtime.keys.active(), 'statuslist+jwt', {
    iss: runtime.config.publicUrl,
    sub: statusListUri(runtime.config.publicUrl, app.publicId, list),
    iat,
    exp: iat + STATUS_LIFE,
    ttl: STATUS_TTL,
    status_list: { bits: 1, lst: (await compress(bits, { level: 9 })).toString('base64url') },
  })
}
