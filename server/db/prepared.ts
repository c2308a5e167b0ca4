import { Column, is, Param, Placeholder, SQL } from 'drizzle-orm'
import type Sqlite from 'better-sqlite3'

/** By name or by place. */
type Values = Record<string, unknown> | unknown[]

type Decoder = { mapFromDriverValue(value: unknown): unknown }

/** What Drizzle's prepared query on better-sqlite3 is made of (drizzle-orm/better-sqlite3/session.js). */
type Made = {
  stmt: Sqlite.Statement
  query: { params: unknown[] }
  fields?: { path: string[]; field: unknown }[]
  joinsNotNullableMap?: Record<string, boolean>
}

/**
 * Runs a prepared SELECT (or RETURNING) the way Drizzle does, with the shape of its rows worked out once instead of once a row: half the
 * time of a lookup by key was spent on that. Undefined for what has another shape (no columns, outer joins); Drizzle then does it.
 */
export function fastRows(prepared: unknown): ((values: Values) => unknown[]) | undefined {
  const { stmt, query, fields, joinsNotNullableMap } = prepared as Made
  if (!fields || Object.values(joinsNotNullableMap ?? {}).includes(false)) return undefined
  if (fields.some(({ path }) => path.length > 2)) return undefined
  stmt.raw()
  const columns = fields.map(({ path, field }, at) => {
    const decoder = decoderOf(field)
    const group = path.length === 2 ? path[0]! : undefined
    return { at, group, name: path.at(-1)!, decode: decoder && ((value: unknown) => decoder.mapFromDriverValue(value)) }
  })
  const groups = [...new Set(columns.flatMap(({ group }) => group ?? []))]
  const fillers = query.params.map(fillerOf)
  return (values) =>
    (stmt.all(...fillers.map((fill) => fill(values))) as unknown[][]).map((row) => {
      const result: Record<string, unknown> = {}
      for (const group of groups) result[group] = {}
      for (const { at, group, name, decode } of columns) {
        const value = row[at]
        const target = group === undefined ? result : (result[group] as Record<string, unknown>)
        target[name] = value === null || decode === undefined ? value : decode(value)
      }
      return result
    })
}

/** Runs a prepared write that returns no rows; answers with how many it changed, and with the number of the last one inserted. */
export function fastRun(prepared: unknown): (values: Values) => Sqlite.RunResult {
  const { stmt, query } = prepared as Made
  const fillers = query.params.map(fillerOf)
  return (values) => stmt.run(...fillers.map((fill) => fill(values)))
}

const asItIs = Column.prototype.mapFromDriverValue

/** What turns the driver's value into ours; undefined where they are the same. */
function decoderOf(field: unknown): Decoder | undefined {
  const decoder = is(field, Column)
    ? field
    : is(field, SQL)
      ? (field as unknown as { decoder: Decoder }).decoder
      : (field as { sql: { decoder: Decoder } }).sql.decoder
  return decoder.mapFromDriverValue === asItIs ? undefined : decoder
}

/** What gives a parameter its value, encoded as its column's values are. */
function fillerOf(parameter: unknown): (values: Values) => unknown {
  if (is(parameter, Placeholder)) {
    const name = keyOf(parameter)
    return (values) => given(values, name)
  }
  if (is(parameter, Param) && is(parameter.value, Placeholder)) {
    const { encoder, value } = parameter
    const name = keyOf(value)
    return (values) => encoder.mapToDriverValue(given(values, name))
  }
  return () => parameter
}

const keyOf = ({ name }: Placeholder): string | number => (/^\d+$/.test(name) ? Number(name) : name)

function given(values: Values, name: string | number): unknown {
  const value = (values as Record<string | number, unknown>)[name]
  if (value === undefined) throw new Error(`The statement was given no ${name}`)
  return value
}
