import type { App } from '#server/app/app.ts'
import type { Database } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import type { Vault } from '#server/secret/vault.ts'
import { createChallenges } from './challenge.ts'
import { rulesFrom, type Answer, type DetectorName, type Rules } from './detectors.ts'
import { createLists, type Entry, type Lists } from './lists.ts'
import { createNotes, type Finding, type Notes } from './notes.ts'
import { deviceOf, placeOf, type Place } from './place.ts'
import { listCurrentBlocks, listRules, readVersion } from './store.ts'
import { createTally } from './tally.ts'

/** Ways that can be tried. */
export type Method = 'telegram' | 'ton' | 'sso' | 'nonce' | 'link' | 'code' | 'token'

export type Try = {
  /** Number 0 where no app is known, as with a token that is none. */
  app: Pick<App, 'id' | 'publicId'>
  method: Method
  ip: string
  userAgent: string | undefined
  /** What a proof is told by when it comes again: its own hash, which only who has the bot's token can make. */
  proof?: string | undefined
  /** A solved challenge, if one came with it. */
  solution?: string | undefined
}

/** A try that was stopped, remembered for whoever asks why. */
export type Stop = {
  at: Date
  appId: number
  method: Method
  ip: string
  device: string
  code: string
  detector: DetectorName | 'block'
}

/**
 * Watches tries to sign in: counts them, finds what is no person's doing, and answers it. What it does falls on tries alone; a session that is
 * open stays untouched, whatever others send.
 */
export type Traffic = {
  /** Lets a try pass. @throws AppError forbidden, rate_limited, challenge_required, login_expired */
  admit(attempt: Try): Promise<void>
  /** Notes how a try ended. @param code `ok` or the refusal's @param who the person who signed in */
  note(attempt: Try, code: string, who?: string): void
  /** Resolves once the blocks have been read the first time; undefined from then on. */
  ready(): Promise<void> | undefined
  /** Whether anybody is blocked by hand; most of the time nobody is, and then no address needs to be looked at. */
  blocksAnybody(): boolean
  /** Refuses an address that an operator has blocked, for any public call. @throws AppError forbidden */
  refuseBlocked(ip: string, appId?: number): void
  /** Reads blocks and rules again now, after a change of ours. */
  reload(): Promise<void>
  rules(): Rules
  lists(): Lists
  stops(): readonly Stop[]
  /** Findings since this process started, by detector. */
  found(): ReadonlyMap<string, number>
  flush(): Promise<void>
  close(): Promise<void>
}

const ANSWER_MS = 300_000
const FIRST_BLOCK_MS = 60_000
const LONGEST_BLOCK_MS = 86_400_000
const FRESH_MS = 1_000
const MOST_LISTED = 50_000
const MOST_ANSWERS = 50_000
const MOST_STOPS = 500
/** Networks a minute in which one proof may turn up: a phone changes them on a train, not this often. */
const MOST_NETWORKS = 10
/** An address with this many good people in five minutes is an office, a school or a carrier. */
const SHARED = 10

type Active = { detector: DetectorName; answer: Answer; until: number; next: number; finding: Finding }

/** @param answers whether findings are acted upon at this address; else they are only told */
export function createTraffic(
  db: Database,
  vault: Vault,
  now: () => Date,
  answers: (ip: string) => boolean,
  onError: (error: unknown) => void,
): Traffic {
  const minute = createTally(60)
  const minutes = createTally(300)
  const challenges = createChallenges(vault)
  const active = new Map<string, Active>()
  const levels = new Map<string, { level: number; at: number }>()
  const stops: Stop[] = []
  const found = new Map<string, number>()
  const notes: Notes = createNotes(db, now, onError)
  let rules = rulesFrom([])
  let lists = createLists([])
  let read: { version: string; at: number } | undefined
  let reading: Promise<void> | undefined

  async function load(): Promise<void> {
    const version = await readVersion(db)
    if (version !== read?.version) {
      const [blocks, changed] = await Promise.all([listCurrentBlocks(db, now(), MOST_LISTED), listRules(db)])
      lists = createLists([...blocks, ...notes.unwritten()])
      rules = rulesFrom(changed)
    }
    read = { version, at: performance.now() }
  }

  /** Another process may have changed them; that is known a second later at the most. */
  function refresh(): Promise<void> | undefined {
    if (read && performance.now() - read.at < FRESH_MS) return undefined
    reading ??= load()
      .catch(onError)
      .finally(() => (reading = undefined))
    return reading
  }

  const keysOf = (app: Try['app'], place: Place) => ({
    address: `${app.id} ${place.address}`,
    network: `${app.id} ${place.network}`,
    app: `${app.id}`,
  })

  function stop(attempt: Try, detector: Stop['detector'], error: AppError): never {
    const at = now()
    const device = deviceOf(attempt.userAgent)
    stops.push({
      at,
      appId: attempt.app.id,
      method: attempt.method,
      ip: attempt.ip,
      device,
      code: error.code,
      detector,
    })
    if (stops.length > MOST_STOPS) stops.shift()
    throw error
  }

  async function admit(attempt: Try): Promise<void> {
    const stale = refresh()
    if (stale) await stale
    const at = now().getTime()
    const place = placeOf(attempt.ip)
    const entry = lists.find(place, attempt.app.id, at)
    if (entry?.effect === 'allow') return
    const keys = keysOf(attempt.app, place)
    // A code is typed by who has a session open: only guessing of codes stops that.
    if (attempt.method === 'code') {
      const guessing = active.get(codeKey(keys))
      return guessing && guessing.until > at ? meet(attempt, guessing, at) : undefined
    }
    if (entry) {
      const cause = entry.automatic ? (active.get(keys.address) ?? active.get(keys.network)) : undefined
      if (cause) noteStopped(cause.finding)
      stop(attempt, cause?.detector ?? 'block', blocked(entry, at))
    }
    if (active.size === 0) return
    for (const key of [proofKey(attempt), keys.address, keys.network]) {
      const answer = key === undefined ? undefined : active.get(key)
      if (!answer) continue
      if (answer.until <= at) active.delete(key!)
      else if (!isNeighbour(answer, keys.address, at)) await meet(attempt, answer, at)
    }
    const surge = active.get(keys.app)
    // Where failures come from everywhere, only those must work that have failed themselves and never succeeded.
    if (surge && surge.until > at && minutes.sum(keys.address, 'failed', at) > 0) {
      if (minutes.sum(keys.address, 'succeeded', at) === 0) await meet(attempt, surge, at)
    }
  }

  /** Who signed in at an address of their own, while somebody else in the network fails: not whom the network's challenge is for. */
  const isNeighbour = ({ answer, finding }: Active, address: string, at: number): boolean =>
    answer === 'challenge' &&
    finding.kind === 'network' &&
    minutes.sum(address, 'succeeded', at) > 0 &&
    minutes.sum(address, 'failed', at) === 0

  function noteStopped(finding: Finding): void {
    finding.stopped++
    finding.lastSeenAt = now()
    notes.finding(finding)
  }

  async function meet(attempt: Try, answer: Active, at: number): Promise<void> {
    const seconds = Math.max(1, Math.ceil((answer.until - at) / 1000))
    switch (answer.answer) {
      case 'watch':
        return
      case 'slow':
        if (at >= answer.next) {
          answer.next = at + 1_000
          return
        }
        noteStopped(answer.finding)
        return stop(attempt, answer.detector, tooMany(1))
      case 'challenge': {
        const { publicId } = attempt.app
        if (attempt.solution && (await challenges.solved(attempt.solution, publicId, now()))) return
        noteStopped(answer.finding)
        const challenge = await challenges.make(publicId, now())
        return stop(
          attempt,
          answer.detector,
          new AppError('challenge_required', 'Solve the challenge and send it as Gatehouse-Challenge', {
            details: { challenge },
          }),
        )
      }
      case 'block':
        noteStopped(answer.finding)
        if (answer.finding.kind === 'proof')
          return stop(
            attempt,
            answer.detector,
            new AppError('login_expired', 'This login was used too often; open the app again'),
          )
        return stop(attempt, answer.detector, tooMany(seconds))
    }
  }

  function find(
    detector: DetectorName,
    attempt: Try,
    where: { kind: Finding['kind']; key: string; value: string; userId?: number },
    seen: { tries: number; confidence: number },
  ): void {
    const rule = rules[detector]
    const at = now().getTime()
    const known = active.get(where.key)
    if (known && known.until > at) {
      known.finding.lastSeenAt = now()
      known.finding.tries = Math.max(known.finding.tries, Math.round(seen.tries))
      notes.finding(known.finding)
      return
    }
    const place = placeOf(attempt.ip)
    if (lists.find(place, attempt.app.id, at)?.effect === 'allow') return
    // Others live there too: an office behind one address, or neighbours in a network who sign in as ever.
    const shared =
      where.kind === 'network'
        ? minute.sum(where.key, 'succeeded', at) > 0
        : minutes.distinct(keysOf(attempt.app, place).address, at) >= SHARED
    const shadow = rule.mode === 'shadow'
    const wanted = where.kind !== 'proof' && rule.answer === 'block' && shared ? 'challenge' : rule.answer
    const answer = shadow || where.kind === 'user' || !answers(attempt.ip) ? 'watch' : wanted
    const level = answer === 'block' && where.kind !== 'proof' ? levelOf(where.key, at) : 0
    const until =
      at +
      (answer === 'block' && where.kind !== 'proof'
        ? Math.min(FIRST_BLOCK_MS * 4 ** level, LONGEST_BLOCK_MS)
        : ANSWER_MS)
    const finding: Finding = {
      id: undefined,
      detector,
      appId: attempt.app.id,
      kind: where.kind,
      value: where.value,
      userId: where.userId ?? null,
      startedAt: now(),
      lastSeenAt: now(),
      tries: Math.round(seen.tries),
      stopped: 0,
      confidence: seen.confidence,
      answer: shadow ? wanted : answer,
      shadow,
      answeredUntil: answer === 'watch' ? null : new Date(until),
    }
    if (active.size >= MOST_ANSWERS) active.clear()
    found.set(detector, (found.get(detector) ?? 0) + 1)
    active.set(where.key, { detector, answer, until, next: at, finding })
    notes.finding(finding)
    if (answer === 'block' && (where.kind === 'address' || where.kind === 'network')) {
      // Written down too, so that other processes keep it, a restart does not lift it, and an operator can.
      notes.block({ value: where.value, appId: attempt.app.id, until: new Date(until), detector })
      read = undefined
    }
  }

  function levelOf(key: string, at: number): number {
    const before = levels.get(key)
    const level = before && at - before.at < LONGEST_BLOCK_MS ? before.level + 1 : 0
    if (levels.size >= MOST_ANSWERS) levels.clear()
    levels.set(key, { level, at })
    return level
  }

  function note(attempt: Try, code: string, who?: string): void {
    const { app, method } = attempt
    const at = now().getTime()
    const place = placeOf(attempt.ip)
    const keys = keysOf(app, place)
    const on = (detector: DetectorName) => rules[detector].mode !== 'off'
    const here = { kind: 'address', key: keys.address, value: place.address } as const
    const mine = minute.of(keys.address, at)
    const around = minute.of(keys.network, at)
    if (method === 'code') {
      mine.codes++
      const codes = minute.sum(keys.address, 'codes', at)
      if (codes >= rules.code_guessing.threshold && on('code_guessing'))
        find('code_guessing', attempt, { ...here, key: codeKey(keys) }, { tries: codes, confidence: 90 })
      return
    }
    const kind =
      method === 'nonce' || method === 'token' ? undefined : code === 'ok' ? 'succeeded' : failureOf(method, code)
    notes.attempt(attempt, place, kind === 'succeeded' ? 'succeeded' : kind === 'stopped' ? 'stopped' : 'failed')

    if (method === 'token') {
      mine.tokens++
      if (mine.tokens >= rules.token_guessing.threshold && on('token_guessing'))
        find(
          'token_guessing',
          attempt,
          { ...here, key: `token ${keys.address}` },
          { tries: mine.tokens, confidence: 70 },
        )
      return
    }
    if (method === 'nonce') {
      mine.nonces++
      const nonces = minute.sum(keys.address, 'nonces', at)
      const used = minute.sum(keys.address, 'succeeded', at)
      if (nonces >= rules.nonce_farming.threshold && used < nonces / 5 && on('nonce_farming'))
        find('nonce_farming', attempt, here, { tries: nonces, confidence: used === 0 ? 95 : 80 })
    } else {
      mine.tries++
      around.tries++
    }
    const flood = minute.sum(keys.address, 'tries', at) + minute.sum(keys.address, 'nonces', at)
    if (flood >= rules.flood.threshold && on('flood')) find('flood', attempt, here, { tries: flood, confidence: 75 })

    if (attempt.proof !== undefined && code === 'ok') noteProof(attempt, place, at)
    if (kind === 'succeeded') noteSuccess(attempt, place, keys, who, at)
    else if (kind === 'failed') noteFailure(attempt, place, keys, at)
    else if (kind === 'spent') {
      mine.spent++
      const spent = minute.sum(keys.address, 'spent', at)
      if (
        spent >= rules.spent_proofs.threshold &&
        spent >= minute.sum(keys.address, 'tries', at) / 2 &&
        on('spent_proofs')
      )
        find('spent_proofs', attempt, here, { tries: spent, confidence: 85 })
    }
  }

  function noteProof(attempt: Try, place: Place, at: number): void {
    const key = proofKey(attempt)!
    const counts = minute.of(key, at)
    counts.succeeded++
    minute.see(key, place.network, MOST_NETWORKS, at)
    const uses = minute.sum(key, 'succeeded', at)
    const many = uses >= rules.replayed_proofs.threshold || minute.distinct(key, at) >= MOST_NETWORKS
    if (many && rules.replayed_proofs.mode !== 'off')
      find(
        'replayed_proofs',
        attempt,
        { kind: 'proof', key, value: attempt.proof!.slice(0, 16) },
        { tries: uses, confidence: 90 },
      )
  }

  function noteSuccess(
    attempt: Try,
    place: Place,
    keys: ReturnType<typeof keysOf>,
    who: string | undefined,
    at: number,
  ): void {
    minute.of(keys.address, at).succeeded++
    minute.of(keys.network, at).succeeded++
    minutes.of(keys.address, at).succeeded++
    if (who === undefined) return
    minute.see(keys.address, who, rules.many_subjects.threshold, at)
    minutes.see(keys.address, who, SHARED, at)
    const here = { kind: 'address', key: keys.address, value: place.address } as const
    const people = minute.distinct(keys.address, at)
    if (people > rules.many_subjects.threshold && rules.many_subjects.mode !== 'off')
      find('many_subjects', attempt, here, { tries: people, confidence: 60 })
    minutes.see(who, place.network, rules.many_addresses.threshold, at)
    const places = minutes.distinct(who, at)
    if (places >= rules.many_addresses.threshold && rules.many_addresses.mode !== 'off') {
      const userId = vault.ids.parse('usr', who)
      const where = { kind: 'user', key: `who ${who}`, value: '', ...(userId !== undefined && { userId }) } as const
      find('many_addresses', attempt, where, { tries: places, confidence: 70 })
    }
  }

  function noteFailure(attempt: Try, place: Place, keys: ReturnType<typeof keysOf>, at: number): void {
    minute.of(keys.address, at).failed++
    minutes.of(keys.address, at).failed++
    minute.of(keys.network, at).failed++
    const app = minute.of(keys.app, at)
    app.failed++
    minute.see(keys.app, place.address, 50, at)
    const share = (key: string) => minute.sum(key, 'failed', at) / Math.max(1, minute.sum(key, 'tries', at))
    const judge = (detector: DetectorName, kind: 'address' | 'network', key: string, value: string, least: number) => {
      const failed = minute.sum(key, 'failed', at)
      if (rules[detector].mode === 'off' || failed < rules[detector].threshold || share(key) < least) return
      find(detector, attempt, { kind, key, value }, { tries: failed, confidence: Math.round(share(key) * 95) })
    }
    judge('failed_proofs', 'address', keys.address, place.address, 0.5)
    judge('failed_proofs_network', 'network', keys.network, place.network, 0.8)
    const all = minute.sum(keys.app, 'failed', at)
    if (
      all >= rules.failure_surge.threshold &&
      minute.distinct(keys.app, at) >= 10 &&
      rules.failure_surge.mode !== 'off'
    )
      find('failure_surge', attempt, { kind: 'app', key: keys.app, value: '' }, { tries: all, confidence: 80 })
  }

  return {
    admit,
    note,
    ready: () => (read ? undefined : refresh()),
    blocksAnybody() {
      void refresh()
      return lists.any
    },
    refuseBlocked(ip, appId) {
      const at = now().getTime()
      const entry = lists.find(placeOf(ip), appId, at)
      if (entry?.effect === 'block' && !entry.automatic && entry.kind !== 'app') throw blocked(entry, at)
    },
    async reload() {
      read = undefined
      await load()
      // An operator who lifts a block lifts the answer with it.
      for (const [key, { answer, finding }] of active) {
        if (answer !== 'block' || finding.kind === 'proof') continue
        const entry = lists.find(placeOf(finding.value), finding.appId, now().getTime())
        if (!entry) active.delete(key)
      }
    },
    rules: () => rules,
    lists: () => lists,
    stops: () => stops,
    found: () => found,
    flush: () => notes.flush(),
    close: () => notes.close(),
  }
}

const codeKey = ({ address }: { address: string }) => `code ${address}`

const proofKey = ({ app, proof }: Try): string | undefined =>
  proof === undefined ? undefined : `proof ${app.id} ${proof}`

/** What a refusal says of the try. What is wrong with the app or with us says nothing of who tries. */
function failureOf(method: Method, code: string): 'failed' | 'spent' | 'stopped' | undefined {
  if (code === 'rate_limited' || code === 'challenge_required' || code === 'forbidden') return 'stopped'
  if (code === 'invalid_signature' || code === 'sso_token_rejected') return 'failed'
  if (code === 'nonce_invalid' || code === 'login_expired') return 'spent'
  return undefined
}

function blocked(entry: Entry, at: number): AppError {
  if (entry.automatic && entry.expiresAt)
    return tooMany(Math.max(1, Math.ceil((entry.expiresAt.getTime() - at) / 1000)))
  return new AppError('forbidden', 'Sign-in is not possible from your network; ask the support of this app', {
    details: { reason: 'blocked' },
  })
}

const tooMany = (seconds: number) =>
  new AppError('rate_limited', `Too many tries from your network; try again in ${seconds} s`, { retryAfter: seconds })
