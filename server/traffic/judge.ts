import type { Vault } from '#server/secret/vault.ts'
import type { Book } from './book.ts'
import type { DetectorName } from './detectors.ts'
import type { Measures, Where } from './measures.ts'
import type { Notes } from './notes.ts'
import { keysOf, placeOf, type Keys, type Place } from './place.ts'
import type { Residents } from './residents.ts'
import { distinct, see, type Counts, type Tally } from './tally.ts'
import { codeKey, proofKey, typistKey, type Try } from './try.ts'

/** Networks a minute in which one proof may turn up: a phone changes them on a train, not this often. */
const MOST_NETWORKS = 10

type World = {
  book: Book
  notes: Notes
  measures: Measures
  residents: Residents
  vault: Vault
  /** The last minute, and the last five. */
  minute: Tally
  minutes: Tally
  now: () => Date
}

/** What is known of one try while it is counted, and of its address in the last minute. */
type Case = { attempt: Try; place: Place; keys: Keys; at: number; mine: Counts }

/** Counts how a try ended, and finds what is no person's doing. */
export type Judge = (attempt: Try, code: string, who?: string) => void

export function createJudge(world: World): Judge {
  const { book, notes, measures, residents, vault, minute, minutes, now } = world

  /** Tells a finding where its count has reached the threshold of a detector that is on. */
  function weigh(
    detector: DetectorName,
    { attempt }: Case,
    where: Where,
    seen: { tries: number; confidence: number; also?: boolean },
  ): void {
    const { mode, threshold } = book.rules()[detector]
    if (mode !== 'off' && seen.tries >= threshold && seen.also !== false) measures.take(detector, attempt, where, seen)
  }

  const here = ({ keys, place }: Case): Where => ({ kind: 'address', key: keys.address, value: place.address })

  function noteCode(one: Case): void {
    const { attempt, keys, at, mine } = one
    mine.codes++
    minutes.of(typistKey(attempt), at).codes++
    const tries = minute.sum(mine, 'codes', at)
    weigh('code_guessing', one, { ...here(one), key: codeKey(keys) }, { tries, confidence: 90 })
  }

  function noteToken(one: Case): void {
    const { keys, mine } = one
    mine.tokens++
    const where = { ...here(one), key: `token ${keys.address}` }
    weigh('token_guessing', one, where, { tries: mine.tokens, confidence: 70 })
  }

  function noteNonce(one: Case): void {
    const { at, mine } = one
    mine.nonces++
    const tries = minute.sum(mine, 'nonces', at)
    const used = minute.sum(mine, 'succeeded', at)
    weigh('nonce_farming', one, here(one), { tries, confidence: used === 0 ? 95 : 80, also: used < tries / 5 })
  }

  function noteProof({ attempt, place, at }: Case): void {
    const key = proofKey(attempt)!
    const proof = minute.of(key, at)
    proof.succeeded++
    see(proof, place.network, MOST_NETWORKS)
    const uses = minute.sum(proof, 'succeeded', at)
    const { mode, threshold } = book.rules().replayed_proofs
    if (mode === 'off' || (uses < threshold && distinct(proof) < MOST_NETWORKS)) return
    const where = { kind: 'proof', key, value: attempt.proof!.slice(0, 16) } as const
    measures.take('replayed_proofs', attempt, where, { tries: uses, confidence: 90 })
  }

  function noteSuccess(one: Case, near: Counts, who: string | undefined): void {
    const { attempt, place, keys, at, mine } = one
    mine.succeeded++
    near.succeeded++
    minutes.of(keys.address, at).succeeded++
    residents.settle(attempt, keys, at)
    if (who === undefined) return
    const { many_subjects, many_addresses } = book.rules()
    see(mine, who, many_subjects.threshold)
    const people = distinct(mine)
    const many = people > many_subjects.threshold
    if (many) weigh('many_subjects', one, here(one), { tries: people, confidence: 60 })
    const person = minutes.of(who, at)
    see(person, place.network, many_addresses.threshold)
    const places = distinct(person)
    if (places < many_addresses.threshold) return
    const userId = vault.ids.parse('usr', who)
    const where = { kind: 'user', key: `who ${who}`, value: '', ...(userId !== undefined && { userId }) } as const
    weigh('many_addresses', one, where, { tries: places, confidence: 70 })
  }

  function noteFailure(one: Case, near: Counts): void {
    const { place, keys, at, mine } = one
    const app = minute.of(keys.app, at)
    for (const counts of [mine, near, app, minutes.of(keys.address, at)]) counts.failed++
    see(app, place.address, 50)
    const failedAt = (detector: DetectorName, counts: Counts, where: Where, least: number) => {
      const tries = minute.sum(counts, 'failed', at)
      const share = tries / Math.max(1, minute.sum(counts, 'tries', at))
      weigh(detector, one, where, { tries, confidence: Math.round(share * 95), also: share >= least })
    }
    failedAt('failed_proofs', mine, here(one), 0.5)
    failedAt('failed_proofs_network', near, { kind: 'network', key: keys.network, value: place.network }, 0.8)
    const tries = minute.sum(app, 'failed', at)
    const spread = distinct(app) >= 10
    weigh('failure_surge', one, { kind: 'app', key: keys.app, value: '' }, { tries, confidence: 80, also: spread })
  }

  function noteSpent(one: Case): void {
    const { at, mine } = one
    mine.spent++
    const tries = minute.sum(mine, 'spent', at)
    const most = tries >= minute.sum(mine, 'tries', at) / 2
    weigh('spent_proofs', one, here(one), { tries, confidence: 85, also: most })
  }

  return (attempt, code, who) => {
    const { app, method } = attempt
    const at = now().getTime()
    const place = placeOf(attempt.ip)
    const keys = keysOf(app.id, place)
    const mine = minute.of(keys.address, at)
    const one: Case = { attempt, place, keys, at, mine }
    if (method === 'code') return noteCode(one)
    const kind = method === 'nonce' || method === 'token' ? undefined : code === 'ok' ? 'succeeded' : failureOf(code)
    const outcome = kind === 'succeeded' || kind === 'stopped' ? kind : 'failed'
    notes.attempt(attempt, place, keys, at, outcome)
    if (method === 'token') return noteToken(one)
    const near = minute.of(keys.network, at)
    if (method === 'nonce') noteNonce(one)
    else {
      mine.tries++
      near.tries++
    }
    const flood = minute.sum(mine, 'tries', at) + minute.sum(mine, 'nonces', at)
    weigh('flood', one, here(one), { tries: flood, confidence: 75 })
    if (attempt.proof !== undefined && code === 'ok') noteProof(one)
    if (kind === 'succeeded') noteSuccess(one, near, who)
    else if (kind === 'failed') noteFailure(one, near)
    else if (kind === 'spent') noteSpent(one)
  }
}

/** What a refusal says of the try. What is wrong with the app or with us says nothing of who tries. */
function failureOf(code: string): 'failed' | 'spent' | 'stopped' | undefined {
  if (code === 'rate_limited' || code === 'challenge_required' || code === 'forbidden') return 'stopped'
  if (code === 'invalid_signature' || code === 'sso_token_rejected') return 'failed'
  if (code === 'nonce_invalid' || code === 'login_expired') return 'spent'
  return undefined
}
