import { AsyncResource } from 'node:async_hooks'
import type { Database } from '#server/db/database.ts'
import { deviceOf } from '#server/origin/device.ts'
import type { Entry } from './lists.ts'
import type { Keys, Place } from './place.ts'
import {
  addTries,
  insertBlock,
  insertFinding,
  moveVersion,
  updateFinding,
  type FindingRow,
  type TryRow,
} from './store.ts'
import type { Try } from './try.ts'

const EVERY_MS = 1_000
/** Addresses an hour of which each is written; who comes from more is counted by network. */
const MOST_ADDRESSES = 20_000

/** A finding as it is known in memory; `id` once it is written. */
export type Finding = Omit<FindingRow, 'id'> & { id: number | undefined }
type Outcome = 'succeeded' | 'failed' | 'stopped'
type NewBlock = { value: string; appId: number; until: Date; detector: string }

/** What the watch has to write down, gathered and written once a second. */
export type Notes = {
  /** @param at the time of the try, in milliseconds */
  attempt(attempt: Try, place: Place, keys: Keys, at: number, outcome: Outcome): void
  finding(finding: Finding): void
  block(block: NewBlock): void
  /** Blocks that hold already and are not in the table yet. */
  unwritten(): Entry[]
  flush(): Promise<void>
  close(): Promise<void>
}

export function createNotes(db: Database, now: () => Date, onError: (error: unknown) => void): Notes {
  let tries = new Map<string, TryRow>()
  /** Stands for the rows that are gathered now, here and nowhere else: what a place was noted in before is nobody's to add to. */
  let batch = Symbol('batch')
  const findings = new Set<Finding>()
  const blocks: NewBlock[] = []
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let flushing: Promise<void> = Promise.resolve()

  // Whoever notes something inside a transaction must not have it written as a part of it.
  const schedule = (): void => {
    if (!timer && !closed) start()
  }
  const start = AsyncResource.bind((): void => {
    timer = setTimeout(() => {
      timer = undefined
      notes.flush().catch((error: unknown) => {
        onError(error)
        schedule()
      })
    }, EVERY_MS).unref()
  })

  async function write(): Promise<void> {
    const counted = tries
    const found = [...findings]
    const made = blocks.slice()
    if (counted.size === 0 && found.length === 0 && made.length === 0) return
    tries = new Map()
    batch = Symbol('batch')
    findings.clear()
    try {
      const ids = await db.transaction(async (tx) => {
        await addTries(tx, inOrder(counted))
        const ids: number[] = []
        for (const finding of found) {
          const { id, ...row } = finding
          if (id === undefined) ids.push(await insertFinding(tx, row))
          else await updateFinding(tx, id, row).then(() => ids.push(id))
        }
        for (const block of made) await insertBlock(tx, rowOf(block, now()))
        if (made.length > 0) await moveVersion(tx, `${now().getTime()} ${made.length} ${Math.random()}`)
        return ids
      })
      found.forEach((finding, place) => (finding.id = ids[place]))
      blocks.splice(0, made.length)
    } catch (error) {
      for (const [key, row] of counted) merge(tries, key, row)
      for (const finding of found) findings.add(finding)
      throw error
    }
  }

  const notes: Notes = {
    attempt({ app, userAgent }, place, keys, at, outcome) {
      const hour = Math.floor(at / 3_600_000)
      const device = deviceOf(userAgent)
      const last = keys.noted
      if (last?.batch === batch && last.row.hour === hour && last.row.device === device) {
        last.row[outcome]++
        return
      }
      const address = tries.size < MOST_ADDRESSES ? place.address : place.network
      const key = `${hour} ${app.id} ${address} ${device}`
      let row = tries.get(key)
      if (!row) {
        row = { hour, appId: app.id, network: place.network, address, device, succeeded: 0, failed: 0, stopped: 0 }
        tries.set(key, row)
        schedule()
      }
      row[outcome]++
      keys.noted = { batch, row }
    },
    finding(finding) {
      findings.add(finding)
      schedule()
    },
    block(block) {
      blocks.push(block)
      schedule()
    },
    unwritten: () => blocks.map((block) => ({ ...rowOf(block, now()) })),
    flush() {
      flushing = flushing.then(write, write)
      return flushing
    },
    async close() {
      closed = true
      clearTimeout(timer)
      await notes.flush().catch(onError)
    },
  }
  return notes
}

function merge(into: Map<string, TryRow>, key: string, row: TryRow): void {
  const known = into.get(key)
  if (!known) into.set(key, row)
  else for (const count of ['succeeded', 'failed', 'stopped'] as const) known[count] += row[count]
}

/** In one order everywhere, so that two processes never wait for each other's rows. */
const inOrder = (rows: Map<string, TryRow>): TryRow[] =>
  [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)

const rowOf = ({ value, appId, until, detector }: NewBlock, at: Date) => ({
  effect: 'block' as const,
  kind: value.includes('/') ? ('network' as const) : ('address' as const),
  value,
  userId: null,
  appId,
  reason: detector,
  author: 'traffic watch',
  automatic: true,
  createdAt: at,
  expiresAt: until,
})
