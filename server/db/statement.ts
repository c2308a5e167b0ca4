import { Param, sql, type Column } from 'drizzle-orm'
import { dialect } from './dialect.ts'
import { beforeRead, type Reader, type Snapshot, type Transaction } from './database.ts'
import { fastRows, fastRun } from './prepared.ts'

type Preparable<Rows> = { prepare(name: string): { execute(values?: Record<string, unknown>): PromiseLike<Rows> } }

/** By name, or, for a statement with long lists in it, by place (lengths.ts). */
type Values = Record<string, unknown> | unknown[]
type Run<Rows> = (values: Values) => Rows | PromiseLike<Rows>

/**
 * A query whose SQL is built once a connection instead of once a call, which costs ten times the query itself. Placeholders are made
 * with `param`. A statement that writes takes a Transaction, one that reads takes either. `oftenSame` is for a row that many calls of one moment
 * ask for: reads that share a snapshot (snapshot.ts) then ask the database once.
 */
export function statement<Rows>(
  name: string,
  build: (db: Transaction) => Preparable<Rows>,
  { oftenSame = false }: { oftenSame?: boolean } = {},
) {
  const runOn = onceAConnection((db): Run<Rows> => {
    const query = build(db).prepare(name)
    const fast = dialect === 'sqlite' ? (fastRows(query) as Run<Rows> | undefined) : undefined
    return fast ?? ((values) => query.execute(values as Record<string, unknown>))
  })
  return (db: Reader, values: Values): Rows | PromiseLike<Rows> => {
    const run = runOn(db)
    const snapshot = (db as { [beforeRead]?: () => Snapshot })[beforeRead]?.()
    if (!oftenSame || !snapshot) return run(values)
    const question = `${name} ${Object.values(values).join(' ')}`
    let answer = snapshot.get(question) as ReturnType<Run<Rows>> | undefined
    if (answer === undefined) snapshot.set(question, (answer = run(values)))
    return answer
  }
}

/**
 * An INSERT of one row, prepared as above; answers with the number that the row got. SQLite is not asked to return it: to it that is a trigger, for which it
 * copies every page that the statement touches, and beyond 64 KiB of them into a file. That was a third of what a login's statements cost.
 */
export function insertStatement(
  name: string,
  key: Column,
  build: (db: Transaction) => { returning(fields: { id: Column }): Preparable<{ id: unknown }[]> },
) {
  const runOn = onceAConnection((db): Run<number> => {
    const insert = build(db)
    if (dialect === 'sqlite') {
      const run = fastRun((insert as unknown as Preparable<unknown>).prepare(name))
      return (values) => Number(run(values).lastInsertRowid)
    }
    const query = insert.returning({ id: key }).prepare(name)
    return async (values) => (await query.execute(values as Record<string, unknown>))[0]!.id as number
  })
  return (tx: Transaction, values: Values): number | PromiseLike<number> => runOn(tx)(values)
}

/** A write whose answer is how many rows it changed; as cheap as `insertStatement`, for the same reason. */
export function changeStatement(name: string, build: (db: Transaction) => Preparable<unknown>) {
  const runOn = onceAConnection((db): Run<number> => {
    const query = build(db).prepare(name)
    if (dialect === 'sqlite') {
      const run = fastRun(query)
      return (values) => run(values).changes
    }
    return async (values) => {
      const { rowCount } = (await query.execute(values as Record<string, unknown>)) as { rowCount: number | null }
      return rowCount ?? 0
    }
  })
  return (tx: Transaction, values: Values): number | PromiseLike<number> => runOn(tx)(values)
}

/** What `prepare` makes of a connection, made at its first use there. */
function onceAConnection<Answer>(prepare: (db: Transaction) => Run<Answer>): (db: Reader) => Run<Answer> {
  const prepared = new WeakMap<object, Run<Answer>>()
  return (db) => {
    let run = prepared.get(db)
    if (!run) prepared.set(db, (run = prepare(db as Transaction)))
    return run
  }
}

/**
 * A placeholder that is encoded as the column's values are (dates, bytes). On SQLite it goes as `+?`: the library is built with STAT4, and a bare
 * parameter in a join lets the planner look at its value, so that each new value prepares the whole statement again, at fifteen times the price.
 */
export function param<C extends Column>(column: C, name: string) {
  const value = new Param(sql.placeholder(name), column)
  return (dialect === 'sqlite' ? sql`+${value}` : value) as unknown as C['_']['data']
}

/** A placeholder for a value to be written that may be null: the library's own would encode null as if it were a date. */
export function orNull<C extends Column>(column: C, name: string) {
  const encoder = { mapToDriverValue: (value: unknown) => (value === null ? null : column.mapToDriverValue(value)) }
  return sql`${new Param(sql.placeholder(name), encoder)}` as unknown as C['_']['data']
}
