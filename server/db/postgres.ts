import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { AppError } from '#server/error.ts'
import { assertOutsideTransaction, asTransaction } from './alone.ts'
import { driverCode, type Database, type Transaction } from './database.ts'

const MOST_TRIES = 4

/** Connection lost or refused, too many of them, shutting down, too slow: PostgreSQL's classes 08 and 53, and single codes of others. */
const AWAY =
  /^(08|53|57P0|57014$|55000$|55P03$|25P03$|25006$|ECONN|ETIMEDOUT$|EPIPE$|ENOTFOUND$|EAI_AGAIN$|EHOSTUNREACH$)/
/** What the driver says of itself without a code. */
const LOST =
  /^(timeout exceeded when trying to connect|Connection terminated|Client has encountered a connection error)/

/** What a caller can do nothing about but try again becomes a refusal that says so; everything else stays as it is. */
function explained(error: unknown): unknown {
  if (error instanceof AppError) return error
  const away = AWAY.test(driverCode(error) ?? '') || LOST.test(rootOf(error)?.message ?? '')
  return away ? unavailable(error) : error
}

const unavailable = (cause: unknown) =>
  new AppError('unavailable', 'The database cannot be reached right now; try again', { cause, retryAfter: 1 })

const rootOf = (error: unknown): Error | undefined =>
  ((error as Error | undefined)?.cause as Error | undefined) ?? (error as Error | undefined)

/** Lets plain queries, too, be refused as unavailable while there is no connection for them. */
function explainFailures(pool: pg.Pool): void {
  const ask = pool.query.bind(pool) as (...query: unknown[]) => Promise<unknown>
  pool.query = (async (...query: unknown[]) => {
    try {
      return await ask(...query)
    } catch (error) {
      throw explained(error)
    }
  }) as typeof pool.query
}

/**
 * Opens a pool of connections to PostgreSQL. Each connection keeps one transaction object for its life, so that statements prepared
 * on it (statement.ts) are prepared once a connection.
 */
export function openPostgres(
  url: string,
  { poolSize = 16, onError }: { poolSize?: number; onError?: (error: Error) => void } = {},
): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 30_000,
    idle_in_transaction_session_timeout: 30_000,
    application_name: 'gatehouse',
  })
  // An idle connection that dies (a server restart) is reported here and would otherwise end the process.
  pool.on('error', (error) => onError?.(error))
  // One that is lent out and between two statements has nobody who hears of it, which ends the process too; its next statement will fail and tell.
  pool.on('connect', (client) => client.on('error', () => {}))
  explainFailures(pool)
  const db = drizzle(pool, { casing: 'snake_case' })

  return {
    select: db.select.bind(db),
    selectDistinct: db.selectDistinct.bind(db),
    $count: db.$count.bind(db),
    async transaction(work) {
      assertOutsideTransaction()
      for (let attempt = 1; ; attempt++) {
        try {
          return await once(pool, work)
        } catch (error) {
          if (attempt >= MOST_TRIES || !['40001', '40P01'].includes(driverCode(error) ?? '')) throw explained(error)
        }
      }
    },
    shared: pool,
    async check() {
      const { rows } = await pool.query<{ version: string; standby: boolean; commit: string; now: Date }>(
        `select current_setting('server_version') as version, pg_is_in_recovery() as standby,
           current_setting('synchronous_commit') as commit, clock_timestamp() as now`,
      )
      const { version, standby, commit, now } = rows[0]!
      return {
        ok: !standby && commit !== 'off',
        detail: `PostgreSQL ${version}${standby ? ', read-only standby' : ''}, synchronous_commit=${commit}`,
        now,
      }
    },
    // What was deleted is for its own vacuum to take away.
    forget: () => Promise.resolve(true),
    close: () => pool.end(),
  }
}

async function once<T>(pool: pg.Pool, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const client = await pool.connect().catch((cause: unknown) => {
    throw unavailable(cause)
  })
  let broken: Error | undefined
  try {
    await client.query('begin')
    const { tx, effects } = transactionOn(client)
    effects.length = 0
    const result = await asTransaction(() => work(tx))
    await client.query('commit')
    for (const effect of effects) effect()
    return result
  } catch (error) {
    await client.query('rollback').catch((failure: Error) => (broken = failure))
    throw error
  } finally {
    client.release(broken)
  }
}

/** A connection's transaction, and what is to be done when it is committed. */
type Held = { tx: Transaction; effects: (() => void)[] }

const transactions = new WeakMap<pg.PoolClient, Held>()

function transactionOn(client: pg.PoolClient): Held {
  const known = transactions.get(client)
  if (known) return known
  const lock = { name: 'lock', text: 'select pg_advisory_xact_lock(hashtextextended($1, 0))' }
  const db: NodePgDatabase = drizzle(client, { casing: 'snake_case' })
  const effects: Held['effects'] = []
  const tx = Object.assign(db, {
    async lock(key: string) {
      await client.query({ ...lock, values: [key] })
    },
    afterCommit: (effect: () => void) => void effects.push(effect),
  })
  const held = { tx, effects }
  transactions.set(client, held)
  return held
}
