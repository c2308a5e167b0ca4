import { and, eq, gte, inArray, like, lt, lte, or, sql } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { figures } from '#server/db/schema.ts'

export type Figure = { step: number; at: number; appId: number; name: string; n: number }

/** Rows a statement adds at once. */
const CHUNK = 500

/** Adds to what is counted already; each key once. In one order everywhere, so that two processes never wait for each other's rows. */
export async function addFigures(tx: Transaction, added: Figure[]): Promise<void> {
  for (let at = 0; at < added.length; at += CHUNK) {
    await tx
      .insert(figures)
      .values(added.slice(at, at + CHUNK))
      .onConflictDoUpdate({
        target: [figures.step, figures.at, figures.appId, figures.name],
        set: { n: sql`${figures.n} + excluded.n` },
      })
  }
}

export type FigureFilter = {
  step: number
  /** First and last step, both included. */
  from: number
  to: number
  /** Undefined is every app, and what belongs to none. */
  appIds?: number[] | undefined
  /** What the names begin with. */
  names: string[]
}

/** Figures by step and name, summed over apps. */
export function sumFigures(db: Reader, { step, from, to, appIds, names }: FigureFilter) {
  return db
    .select({ at: figures.at, name: figures.name, n: sql<number>`sum(${figures.n})`.mapWith(Number) })
    .from(figures)
    .where(
      and(
        eq(figures.step, step),
        gte(figures.at, from),
        lte(figures.at, to),
        appIds && inArray(figures.appId, appIds.length > 0 ? appIds : [-1]),
        or(...names.map((name) => like(figures.name, `${name}%`))),
      ),
    )
    .groupBy(figures.at, figures.name)
}

/** Forgets the figures of a step that are older than `before` steps, oldest first, until `limit` rows are gone or none is left. */
export async function deleteFigures(tx: Transaction, step: number, before: number, limit: number): Promise<number> {
  let removed = 0
  while (removed < limit) {
    const [oldest] = await tx
      .select({ at: sql<number | null>`min(${figures.at})` })
      .from(figures)
      .where(and(eq(figures.step, step), lt(figures.at, before)))
    if (oldest?.at == null) return removed
    const rows = await tx
      .delete(figures)
      .where(and(eq(figures.step, step), eq(figures.at, oldest.at)))
      .returning({ at: figures.at })
    removed += rows.length
  }
  return removed
}
