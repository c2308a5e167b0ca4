import { appAt, type App } from '#server/app/app.ts'
import { listAllApps } from '#server/app/store.ts'
import { AppError } from '#server/error.ts'
import type { IdentityRow } from '#server/identity/store.ts'
import { openSubject } from '#server/identity/findOrCreate.ts'
import type { Runtime } from '#server/runtime.ts'
import { readPage } from './history.ts'
import { chainApi, networkOf } from './network.ts'
import { MARGIN, tell, type Followed } from './tell.ts'
import { startWalk, step, type Walk } from './walk.ts'
import { deleteUnwanted, insertWatched, listDue, listUnwatched, updateWatched, type WatchedRow } from './watchStore.ts'

/** Each wallet is looked at this often, and later after a failure. */
const EVERY_MS = 20_000
const AFTER_FAILURE_MS = 60_000
const WALLETS_A_ROUND = 50
const NEW_A_ROUND = 500
/** Pages of one wallet in one round; where there are more, the next round goes on with them, so that nobody else waits. */
const STEPS_A_ROUND = 40
/** Walks that wait to be gone on with. */
const MOST_WALKS = 500

/** Walks that were left off in the middle. A restart forgets them: what was told by then is not told again, and what was not is found anew. */
const walks = new WeakMap<Runtime, Map<number, Walk>>()

/** Looks once at every followed wallet that is due, and tells its app of what came and went. Returns how many transactions were told. */
export async function watchWallets(runtime: Runtime): Promise<number> {
  const { db } = runtime
  const apps = await watchingApps(runtime)
  const ids = [...apps.keys()]
  await db.transaction((tx) => deleteUnwanted(tx, ids))
  if (ids.length === 0) return 0
  const found = await listUnwatched(db, ids, NEW_A_ROUND)
  const nextAt = runtime.now()
  await db.transaction((tx) =>
    insertWatched(
      tx,
      found.map((one) => ({ ...one, nextAt })),
    ),
  )
  let told = 0
  for (const { watched, identity } of await listDue(db, runtime.now(), WALLETS_A_ROUND)) {
    const app = apps.get(watched.appId)
    if (app && !runtime.stopping) told += await follow(runtime, app, watched, identity)
  }
  return told
}

async function watchingApps(runtime: Runtime): Promise<Map<number, App>> {
  const apps = new Map<number, App>()
  for (const row of await listAllApps(runtime.db)) {
    const app = await appAt(runtime, row.id, row.version)
    if (app && !app.disabled && app.settings.ton.watch) apps.set(app.id, app)
  }
  return apps
}

async function follow(runtime: Runtime, app: App, watched: WatchedRow, identity: IdentityRow): Promise<number> {
  const { identityId } = watched
  const later = (ms: number) => new Date(runtime.now().getTime() + ms)
  const progress = { told: 0 }
  try {
    const network = await networkOf(runtime, app, identity)
    const address = await openSubject(runtime, runtime.db, identity.subjectSealed)
    const followed = { app, identity, network, address }
    if (watched.latestLt === null) await begin(runtime, followed, later(EVERY_MS))
    else if (!(await goOn(runtime, followed, BigInt(watched.latestLt), later(EVERY_MS), progress)))
      await runtime.db.transaction((tx) => updateWatched(tx, identityId, { nextAt: later(0) }))
  } catch (error) {
    // Whatever is wrong with one wallet keeps nobody else's waiting.
    if (error instanceof AppError)
      runtime.log.debug({ code: error.code, err: error.cause }, 'a wallet could not be looked at and will be again')
    else runtime.log.error({ err: error }, 'a wallet could not be looked at and will be again')
    await runtime.db.transaction((tx) => updateWatched(tx, identityId, { nextAt: later(AFTER_FAILURE_MS) }))
  }
  return progress.told
}

/** Follows a wallet from its latest transaction on. */
async function begin(runtime: Runtime, followed: Followed, nextAt: Date): Promise<void> {
  const api = chainApi(runtime, followed.network)
  const vouched = followed.app.settings.ton.jettons
  const { items } = await readPage(runtime, api, followed.address, { limit: 1, vouched })
  await tell(runtime, followed, items, nextAt)
}

/** Tells what happened since the last look, or some of it; whether that was all. What was told counts also where the rest fails. */
async function goOn(
  runtime: Runtime,
  followed: Followed,
  latestLt: bigint,
  nextAt: Date,
  progress: { told: number },
): Promise<boolean> {
  const { id } = followed.identity
  let begun = walks.get(runtime)
  if (!begun) walks.set(runtime, (begun = new Map<number, Walk>()))
  const walk = begun.get(id) ?? startWalk(latestLt - BigInt(MARGIN))
  begun.set(id, walk)
  // The oldest goes first: its wallet may have been unlinked meanwhile. Where it was not, what is left of the walk is found anew.
  if (begun.size > MOST_WALKS) begun.delete(begun.keys().next().value!)
  for (let taken = 0; taken < STEPS_A_ROUND && !runtime.stopping; taken++) {
    const news = await step(runtime, walk, followed, followed.app.settings.ton.jettons)
    if (!news) continue
    progress.told += await tell(runtime, followed, news, nextAt)
    walk.pages.pop()
    if (walk.pages.length > 0) continue
    begun.delete(id)
    return true
  }
  return false
}
