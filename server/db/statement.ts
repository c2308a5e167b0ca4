import { Param, sql, type Column } from 'drizzle-orm'
import { dialect } from './dialect.ts'
import { beforeRead, type Reader, type Transaction } from './database.ts'

type Preparable<Rows> = { prepare(name: string): { execute(values?: Record<string, unknown>): PromiseLike<Rows> } }

/**
 * A query whose SQL is built once a connection instead of once a call, which costs ten times the query itself. Placeholders are made
 * with `param`. A statement that writes takes a Transaction, one that reads takes either.
 */
export function statement<Rows>(name: string, build: (db: Transaction) => Preparable<Rows>) {
  const prepared = new WeakMap<object, ReturnType<Preparable<Rows>['prepare']>>()
  return (db: Reader, values: Record<string, unknown>): PromiseLike<Rows> => {
    let query = prepared.get(db)
    if (!query) {
      query = build(db as Transaction).prepare(name)
      prepared.set(db, query)
    }
    ;(db as { [beforeRead]?: () => void })[beforeRead]?.()
    return query.execute(values)
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
