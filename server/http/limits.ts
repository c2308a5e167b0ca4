import { RateLimiterMemory, RateLimiterPostgres, RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible'
import type { App } from '#server/app/app.ts'
import type { Database } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import type { Vault } from '#server/secret/vault.ts'

const WINDOW_S = 60
/** On PostgreSQL cheap calls take this many points from the shared counter at once and spend them locally: a write in twenty calls. */
const LEASE = 20

/** What the RateLimit headers say (draft-ietf-httpapi-ratelimit-headers): points in all, points left, seconds until more. */
export type Quota = { limit: number; remaining: number; reset: number }

/** Limits by address, account and app, shared by all processes on PostgreSQL. Every method throws `rate_limited`. */
export type Limits = {
  /** A try to sign in or to get a nonce. `over` is the refusal where the address has made too many: who lives there may come in all the same. */
  signIn(app: App, ip: string): Promise<{ quota?: Quota | undefined; over?: AppError }>
  /** A proved identity signing in. */
  account(app: App, key: string): Promise<void>
  /** Any other public call. */
  call(ip: string, limit: number): Promise<Quota | undefined>
  /** A try at a password or a code: strict, whatever the app says. */
  guess(key: string, points: number, seconds: number): Promise<void>
  /** Forgets the tries that `guess` counted, after a right one. */
  forgive(key: string, points: number, seconds: number): Promise<void>
}

const none: Limits = {
  signIn: async () => ({}),
  account: async () => {},
  call: async () => undefined,
  guess: async () => {},
  forgive: async () => {},
}

/**
 * Who is counted is stored as a keyed hash, because PostgreSQL keeps it on disk: a Telegram id, a wallet, an e-mail address, an IP address.
 * @param enabled false leaves all but guessing to a gateway in front (GATEHOUSE_RATE_LIMITS=off)
 */
export function createLimits(db: Database, enabled: boolean, vault: Vault): Limits {
  const hashed = (key: string) => (db.shared ? vault.hash(key, 'rate_limits').toString('base64url') : key)
  const limiters = new Map<string, RateLimiterAbstract>()
  const leases = new Map<string, { left: number; until: number }>()

  function limiter(bucket: string, points: number, duration = WINDOW_S): RateLimiterAbstract {
    const name = `${bucket}:${points}:${duration}`
    let known = limiters.get(name)
    if (!known) {
      const memory = new RateLimiterMemory({ keyPrefix: name, points, duration })
      known = db.shared
        ? new RateLimiterPostgres({
            storeClient: db.shared,
            tableName: 'rate_limits',
            tableCreated: true,
            keyPrefix: name,
            points,
            duration,
            inMemoryBlockOnConsumed: points + 1,
            insuranceLimiter: memory,
          })
        : memory
      limiters.set(name, known)
    }
    return known
  }

  async function consume(bucket: string, key: string, points: number, cost = 1, duration = WINDOW_S): Promise<Quota> {
    try {
      return quota(points, await limiter(bucket, points, duration).consume(hashed(key), cost))
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal
      const { limit, remaining, reset } = quota(points, refusal)
      throw new AppError('rate_limited', `Too many requests; try again in ${reset} s`, {
        retryAfter: reset,
        details: { limit, remaining, reset },
      })
    }
  }

  async function leased(bucket: string, key: string, points: number): Promise<Quota | undefined> {
    if (!db.shared || points < LEASE * 10) return consume(bucket, key, points)
    const name = `${bucket} ${key}`
    const lease = leases.get(name)
    const now = performance.now()
    if (lease && lease.left > 0 && lease.until > now) {
      lease.left--
      return undefined
    }
    if (leases.size > 50_000) leases.clear()
    const granted = await consume(bucket, key, points, LEASE)
    leases.set(name, { left: LEASE - 1, until: now + granted.reset * 1000 })
    return granted
  }

  const guess: Limits['guess'] = async (key, points, seconds) => {
    await consume('guess', key, points, 1, seconds)
  }
  const forgive: Limits['forgive'] = async (key, points, seconds) => {
    await limiter('guess', points, seconds).delete(hashed(key))
  }
  if (!enabled) return { ...none, guess, forgive }
  return {
    async signIn(app, ip) {
      const { signInPerAddress, signInPerApp } = app.settings.rateLimits
      // The address first: what one address is refused must not use up what the whole app may.
      const address = await consume('address', `${app.id} ${ip}`, signInPerAddress).catch(refusal)
      if (address instanceof AppError) return { over: address }
      await leased('app', String(app.id), signInPerApp)
      return { quota: address }
    },
    async account(app, key) {
      await consume('account', `${app.id} ${key}`, app.settings.rateLimits.signInPerAccount)
    },
    call: (ip, limit) => leased('call', ip, limit),
    guess,
    forgive,
  }
}

/** @throws what is none */
function refusal(error: unknown): AppError {
  if (error instanceof AppError && error.code === 'rate_limited') return error
  throw error
}

function quota(limit: number, result: RateLimiterRes): Quota {
  return {
    limit,
    remaining: Math.max(0, result.remainingPoints),
    reset: Math.max(1, Math.ceil(result.msBeforeNext / 1000)),
  }
}
