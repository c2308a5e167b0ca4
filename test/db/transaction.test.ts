import { eq, like } from 'drizzle-orm'
import { expect, onTestFinished, test } from 'vitest'
import type { Database, Transaction } from '../../server/db/database.ts'
import { dialect } from '../../server/db/dialect.ts'
import { openDatabase } from '../../server/db/open.ts'
import { facts } from '../../server/db/schema.ts'
import { freshDatabase } from '../support/database.ts'

async function open(): Promise<{ db: Database; url: string }> {
  const url = await freshDatabase()
  const db = openDatabase(url)
  onTestFinished(() => db.close())
  return { db, url }
}

const write = (tx: Transaction, key: string) => tx.insert(facts).values({ key, value: key })
const kept = async (db: Database) =>
  (await db.select({ key: facts.key }).from(facts).where(like(facts.key, 'test %'))).map(({ key }) => key).sort()

/** Twenty bodies at once, of which those in `failing` throw after they have written. */
async function race(db: Database, failing: number[], counted: string[] = []) {
  const ran = new Map<number, number>()
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, (_, n) =>
      db.transaction(async (tx) => {
        ran.set(n, (ran.get(n) ?? 0) + 1)
        tx.afterCommit(() => counted.push(`test ${n}`))
        await write(tx, `test ${n}`)
        await write(tx, `test ${n} again`)
        if (failing.includes(n)) throw new Error(`body ${n}`)
        return n
      }),
    ),
  )
  return { outcomes, ran }
}

test.each([
  ['none', []],
  ['the first', [0]],
  ['the last', [19]],
  ['some', [3, 4, 11]],
  ['all', Array.from({ length: 20 }, (_, n) => n)],
])(
  'of bodies that wait together, %s of which fail after writing, each is kept whole or not at all',
  async (_, failing) => {
    const { db } = await open()
    const counted: string[] = []
    const { outcomes } = await race(db, failing, counted)
    const right = Array.from({ length: 20 }, (_, n) => n).filter((n) => !failing.includes(n))
    for (const [n, outcome] of outcomes.entries()) {
      if (failing.includes(n)) expect(outcome).toMatchObject({ status: 'rejected', reason: new Error(`body ${n}`) })
      else expect(outcome).toEqual({ status: 'fulfilled', value: n })
    }
    expect(await kept(db)).toEqual(right.flatMap((n) => [`test ${n}`, `test ${n} again`]).sort())
    // What is counted in memory is counted once, and only for what was kept.
    expect(counted.sort()).toEqual(right.map((n) => `test ${n}`).sort())
  },
)

test('a body that fails again and again costs the others one more run, not one each time', async () => {
  const { db } = await open()
  const { ran } = await race(db, [2, 5, 9, 14])
  expect(Math.max(...ran.values())).toBeLessThanOrEqual(2)
})

test('a body that fails before it writes costs the others nothing', async () => {
  const { db } = await open()
  const runs: number[] = []
  await Promise.allSettled(
    Array.from({ length: 10 }, (_, n) =>
      db.transaction(async (tx) => {
        runs.push(n)
        if (n % 2 === 1) throw new Error('refused')
        await write(tx, `test ${n}`)
      }),
    ),
  )
  expect(runs).toHaveLength(10)
  expect(await kept(db)).toEqual([0, 2, 4, 6, 8].map((n) => `test ${n}`))
})

test('what the database refuses fails alone', async () => {
  const { db } = await open()
  const outcomes = await Promise.allSettled(
    ['a', 'b', 'b', 'c'].map((name, n) =>
      db.transaction(async (tx) => {
        await write(tx, `test ${n}`)
        await write(tx, `test ${name}`)
      }),
    ),
  )
  // Of the two who want the same key one comes first.
  const refused = outcomes.flatMap(({ status }, n) => (status === 'rejected' ? [n] : []))
  expect(refused).toHaveLength(1)
  expect([1, 2]).toContain(refused[0])
  const first = refused[0] === 1 ? 2 : 1
  expect(await kept(db)).toEqual(['test 0', `test ${first}`, 'test 3', 'test a', 'test b', 'test c'].sort())
})

test('an answer comes after the commit, and what follows a commit has been done by then', async () => {
  const { db, url } = await open()
  const other = openDatabase(url)
  onTestFinished(() => other.close())
  let done = false
  await db.transaction(async (tx) => {
    await write(tx, 'test 1')
    tx.afterCommit(() => (done = true))
    expect(await kept(other)).toEqual([])
    expect(done).toBe(false)
  })
  expect(done).toBe(true)
  expect(await kept(other)).toEqual(['test 1'])
})

if (dialect === 'sqlite')
  test('a write waits for another process that holds the lock, and reads go on', async () => {
    const { db, url } = await open()
    const other = openDatabase(url)
    onTestFinished(() => other.close())
    let release = () => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const holding = other.transaction(async (tx) => {
      await write(tx, 'test other')
      await held
    })
    await new Promise((resolve) => setImmediate(resolve))
    const waiting = db.transaction((tx) =>
      tx.update(facts).set({ value: 'x' }).where(eq(facts.key, 'test other')).returning(),
    )
    expect(await kept(db)).toEqual([])
    release()
    await holding
    expect(await waiting).toHaveLength(1)
  })
