import { AppError } from '#server/error.ts'
import { deviceOf } from '#server/origin/device.ts'
import type { Book } from './book.ts'
import type { Challenges } from './challenge.ts'
import type { Entry } from './lists.ts'
import type { Measure, Measures } from './measures.ts'
import type { Finding, Notes } from './notes.ts'
import { keysOf, placeOf, type Keys } from './place.ts'
import type { Residents } from './residents.ts'
import type { Tally } from './tally.ts'
import { codeKey, proofKey, typistKey, type Stop, type Try } from './try.ts'

const MOST_STOPS = 500

/** Lets tries pass, or not. */
export type Admission = {
  /**
   * Undefined where nothing is known against a try, which is nearly always: then nobody has to wait a turn.
   * @throws AppError forbidden, rate_limited, challenge_required, login_expired
   */
  admit(attempt: Try): Promise<void> | undefined
  stops: readonly Stop[]
}

type World = {
  book: Book
  notes: Notes
  measures: Measures
  residents: Residents
  challenges: Challenges
  /** The last five minutes. */
  minutes: Tally
  now: () => Date
}

export function createAdmission({ book, notes, measures, residents, challenges, minutes, now }: World): Admission {
  const stops: Stop[] = []
  const sumOf = (key: string, count: 'codes' | 'failed' | 'succeeded', at: number) =>
    minutes.sum(minutes.peek(key, at), count, at)

  function stop(attempt: Try, detector: Stop['detector'], error: AppError): never {
    const { app, method, ip } = attempt
    const device = deviceOf(attempt.userAgent)
    stops.push({ at: now(), appId: app.id, method, ip, device, code: error.code, detector })
    if (stops.length > MOST_STOPS) stops.shift()
    throw error
  }

  function noteStopped(finding: Finding): void {
    finding.stopped++
    finding.lastSeenAt = now()
    notes.finding(finding)
  }

  function admit(attempt: Try): Promise<void> | undefined {
    const stale = book.refresh()
    return stale ? stale.then(() => look(attempt)) : look(attempt)
  }

  function look(attempt: Try): Promise<void> | undefined {
    if (book.lists().size === 0 && measures.size() === 0 && !attempt.over) return undefined
    return judge(attempt)
  }

  async function judge(attempt: Try): Promise<void> {
    const at = now().getTime()
    const place = placeOf(attempt.ip)
    const entry = book.lists().find(place, attempt.app.id, at)
    if (entry?.effect === 'allow') return
    const keys = keysOf(attempt.app.id, place)
    // A code is typed by who has a session open: only guessing of codes stops that, and only those who have guessed.
    if (attempt.method === 'code') {
      const guessing = measures.get(codeKey(keys))
      if (!guessing || guessing.until <= at || sumOf(typistKey(attempt), 'codes', at) === 0) return
      return meet(attempt, guessing, at)
    }
    if (entry) {
      const cause = entry.automatic ? (measures.get(keys.address) ?? measures.get(keys.network)) : undefined
      if (cause) noteStopped(cause.finding)
      stop(attempt, cause?.detector ?? 'block', blocked(entry, at))
    }
    if (attempt.over && !(await residents.isOne(attempt, keys, at, attempt.over))) stop(attempt, 'limit', attempt.over)
    if (measures.size() > 0) await meetAll(attempt, keys, at)
  }

  async function meetAll(attempt: Try, keys: Keys, at: number): Promise<void> {
    const proof = proofKey(attempt)
    const used = proof === undefined ? undefined : measures.get(proof)
    if (used && used.until > at) await meet(attempt, used, at)
    const around: Measure[] = []
    for (const key of [keys.address, keys.network]) {
      const measure = measures.get(key)
      if (measure && measure.until <= at) measures.delete(key)
      const holds = measure && measure.answer !== 'watch' && measure.until > at
      if (holds && !(await isNeighbour(measure, attempt, keys, at))) around.push(measure)
    }
    const surge = measures.get(keys.app)
    // Where failures come from everywhere, only those must work that have failed themselves and never succeeded.
    const suspect = sumOf(keys.address, 'failed', at) > 0 && sumOf(keys.address, 'succeeded', at) === 0
    if (surge && surge.answer !== 'watch' && surge.until > at && suspect) around.push(surge)
    if (around.length === 0 || (await residents.isOne(attempt, keys, at))) return
    for (const measure of around) await meet(attempt, measure, at)
  }

  /** Whoever signs in at an address of their own, while somebody else in the network fails: not whom the network's challenge is for. */
  const isNeighbour = async ({ answer, finding }: Measure, attempt: Try, { address }: Keys, at: number) =>
    answer === 'challenge' &&
    finding.kind === 'network' &&
    sumOf(address, 'failed', at) === 0 &&
    (await residents.livesHere(attempt, address, at))

  async function meet(attempt: Try, measure: Measure, at: number): Promise<void> {
    const { detector, finding } = measure
    switch (measure.answer) {
      case 'watch':
        return
      case 'slow':
        if (at >= measure.next) {
          measure.next = at + 1_000
          return
        }
        noteStopped(finding)
        return stop(attempt, detector, tooMany(1))
      case 'challenge': {
        const { publicId } = attempt.app
        if (attempt.solution && (await challenges.solved(attempt.solution, publicId, now()))) return
        noteStopped(finding)
        const challenge = await challenges.make(publicId, now())
        const message = 'Solve the challenge and send it as Gatehouse-Challenge'
        return stop(attempt, detector, new AppError('challenge_required', message, { details: { challenge } }))
      }
      case 'block':
        noteStopped(finding)
        if (finding.kind !== 'proof') return stop(attempt, detector, tooMany(secondsTo(measure.until, at)))
        return stop(
          attempt,
          detector,
          new AppError('login_expired', 'This login was used too often; open the app again'),
        )
    }
  }

  return { admit, stops }
}

export function blocked(entry: Entry, at: number): AppError {
  if (entry.automatic && entry.expiresAt) return tooMany(secondsTo(entry.expiresAt.getTime(), at))
  return new AppError('forbidden', 'Sign-in is not possible from your network; ask the support of this app', {
    details: { reason: 'blocked' },
  })
}

const secondsTo = (until: number, at: number) => Math.max(1, Math.ceil((until - at) / 1000))

const tooMany = (seconds: number) =>
  new AppError('rate_limited', `Too many tries from your network; try again in ${seconds} s`, { retryAfter: seconds })
