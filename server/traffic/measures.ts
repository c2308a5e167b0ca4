import type { DetectorName, Answer } from './detectors.ts'
import type { Book } from './book.ts'
import type { Finding, Notes } from './notes.ts'
import { placeOf } from './place.ts'
import type { Residents } from './residents.ts'
import type { Try } from './try.ts'

const ANSWER_MS = 300_000
const FIRST_BLOCK_MS = 60_000
const LONGEST_BLOCK_MS = 86_400_000
const MOST_ANSWERS = 50_000

/** An answer that holds now. `next` is when it lets a try pass that is slowed down. */
export type Measure = { detector: DetectorName; answer: Answer; until: number; next: number; finding: Finding }
export type Where = { kind: Finding['kind']; key: string; value: string; userId?: number }

/** What is done about findings, by whom it falls on. */
export type Measures = {
  /** Tells a finding and answers it; one that is answered already is only told to go on. */
  take(detector: DetectorName, attempt: Try, where: Where, seen: { tries: number; confidence: number }): void
  get(key: string): Measure | undefined
  delete(key: string): void
  /** Ends the answers to addresses and networks that are not listed any more. */
  lift(): void
  size(): number
  /** Findings since this process started, by detector. */
  found: ReadonlyMap<string, number>
  /** Resolves once it is known of every place that was blocked whether anybody lives there. */
  settled(): Promise<void>
}

type World = {
  book: Book
  notes: Notes
  residents: Residents
  now: () => Date
  /** Whether findings are acted upon at this address; else they are only told. */
  answers: (ip: string) => boolean
  onError: (error: unknown) => void
}

export function createMeasures({ book, notes, residents, now, answers, onError }: World): Measures {
  const active = new Map<string, Measure>()
  const levels = new Map<string, { level: number; at: number }>()
  const found = new Map<string, number>()
  const asking = new Set<Promise<void>>()

  /** Each block lasts four times as long as the one before it, within a day. */
  function blockMs(key: string, at: number): number {
    const before = levels.get(key)
    const level = before && at - before.at < LONGEST_BLOCK_MS ? before.level + 1 : 0
    if (levels.size >= MOST_ANSWERS) levels.clear()
    levels.set(key, { level, at })
    return Math.min(FIRST_BLOCK_MS * 4 ** level, LONGEST_BLOCK_MS)
  }

  /** Who lives at a place is asked for a challenge instead; only where nobody does, nobody but the attacker is kept out. */
  function soften(measure: Measure, key: string, at: number): void {
    levels.delete(key)
    measure.answer = measure.finding.answer = 'challenge'
    measure.until = at + ANSWER_MS
    measure.finding.answeredUntil = new Date(measure.until)
    notes.finding(measure.finding)
  }

  async function settle(measure: Measure, { kind, key, value }: Where, appId: number): Promise<void> {
    const at = now().getTime()
    if (await residents.lived(appId, { kind: kind as 'address' | 'network', value }, at)) {
      soften(measure, key, at)
      return
    }
    // Written down too, so that other processes keep it, a restart does not lift it, and an operator can.
    notes.block({ value, appId, until: new Date(measure.until), detector: measure.detector })
    book.expire()
  }

  function take(detector: DetectorName, attempt: Try, where: Where, seen: { tries: number; confidence: number }): void {
    const at = now().getTime()
    const known = active.get(where.key)
    if (known && known.until > at) {
      known.finding.lastSeenAt = new Date(at)
      known.finding.tries = Math.max(known.finding.tries, Math.round(seen.tries))
      notes.finding(known.finding)
      return
    }
    const appId = attempt.app.id
    if (book.lists().find(placeOf(attempt.ip), appId, at)?.effect === 'allow') return
    const { answer: ruled, mode } = book.rules()[detector]
    const shadow = mode === 'shadow'
    const local = (where.kind === 'address' || where.kind === 'network') && detector !== 'code_guessing'
    const wanted = ruled === 'block' && local && residents.lives(where.key, at) ? 'challenge' : ruled
    const answer = shadow || where.kind === 'user' || !answers(attempt.ip) ? 'watch' : wanted
    const until = at + (answer === 'block' && where.kind !== 'proof' ? blockMs(where.key, at) : ANSWER_MS)
    const finding: Finding = {
      id: undefined,
      detector,
      appId,
      kind: where.kind,
      value: where.value,
      userId: where.userId ?? null,
      startedAt: new Date(at),
      lastSeenAt: new Date(at),
      tries: Math.round(seen.tries),
      stopped: 0,
      confidence: seen.confidence,
      answer: shadow ? wanted : answer,
      shadow,
      answeredUntil: answer === 'watch' ? null : new Date(until),
    }
    if (active.size >= MOST_ANSWERS) active.clear()
    found.set(detector, (found.get(detector) ?? 0) + 1)
    const measure: Measure = { detector, answer, until, next: at, finding }
    active.set(where.key, measure)
    notes.finding(finding)
    if (answer !== 'block' || !local) return
    const asked = settle(measure, where, appId)
      .catch(onError)
      .finally(() => asking.delete(asked))
    asking.add(asked)
  }

  return {
    take,
    get: (key) => active.get(key),
    delete: (key) => void active.delete(key),
    lift() {
      for (const [key, { answer, finding }] of active) {
        if (answer !== 'block' || finding.kind === 'proof') continue
        const entry = book.lists().find(placeOf(finding.value), finding.appId, now().getTime())
        if (!entry) active.delete(key)
      }
    },
    size: () => active.size,
    found,
    async settled() {
      await Promise.all(asking)
    },
  }
}
