import { and, eq, gte, inArray, like, lt, lte, or, sql, type SQL } from 'drizzle-orm'
import type { Reader, Transaction } from '#server/db/database.ts'
import { figures } from '#server/db/schema.ts'
import { param, statement } from '#server/db/statement.ts'

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

/** A step, and the first and last of its places, both included. */
export type Stretch = { step: number; from: number; to: number }

/** What the names of figures begin with: of what belongs to apps, and of what belongs to the installation as a whole. */
const OF_APPS = ['signin.', 'ended.', 'nonce.', 'user.', 'delivery.', 'mail.']
const OF_INSTALLATION = ['call.', 'revocation.']

const { step, at, appId, name, n } = figures
const summed = { at, name, n: sql<number>`sum(${n})`.mapWith(Number) }

const beginsWith = (prefixes: string[]) => or(...prefixes.map((prefix) => like(name, `${prefix}%`)))

const summing = (title: string, prefixes: string[], more?: SQL) =>
  statement(title, (db) =>
    db
      .select(summed)
      .from(figures)
      .where(
        and(
          eq(step, param(step, 'step')),
          gte(at, param(at, 'from')),
          lte(at, param(at, 'to')),
          more,
          beginsWith(prefixes),
        ),
      )
      .groupBy(at, name),
  )

const ofAll = summing('figures_of_all', OF_APPS)
const ofInstallation = summing('figures_of_installation', OF_INSTALLATION, eq(appId, 0))

/** What happened in every app, and in none, by place and name. */
export const sumAll = (db: Reader, stretch: Stretch) => ofAll(db, stretch)

/** What happened in some apps, by place and name, summed over them. */
export const sumOfApps = (db: Reader, stretch: Stretch, appIds: number[]) =>
  db
    .select(summed)
    .from(figures)
    .where(
      and(
        eq(step, stretch.step),
        gte(at, stretch.from),
        lte(at, stretch.to),
        inArray(appId, appIds.length > 0 ? appIds : [-1]),
        beginsWith(OF_APPS),
      ),
    )
    .groupBy(at, name)

/** How long calls and revocations took, by place and bucket: they belong to no app. */
export const sumOfInstallation = (db: Reader, stretch: Stretch) => ofInstallation(db, stretch)

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
