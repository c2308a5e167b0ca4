import type { Vault } from '#server/secret/vault.ts'
import type { Book } from './book.ts'
import type { DetectorName } from './detectors.ts'
import type { Measures, Where } from './measures.ts'
import type { Notes } from './notes.ts'
import { placeOf, type Place } from './place.ts'
import type { Residents } from './residents.ts'
import type { Tally } from './tally.ts'
import { codeKey, keysOf, proofKey, typistKey, type Keys, type Try } from './try.ts'

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

/** What is known of one try while it is counted. */
type Case = { attempt: Try; place: Place; keys: Keys; at: number }

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
    const { attempt, keys, at } = one
    minute.of(keys.address, at).codes++
    minutes.of(typistKey(attempt), at).codes++
    const tries = minute.sum(keys.address, 'codes', at)
    weigh('code_guessing', one, { ...here(one), key: codeKey(keys) }, { tries, confidence: 90 })
  }

  function noteToken(one: Case): void {
    const { keys, at } = one
    const mine = minute.of(keys.address, at)
    mine.tokens++
    const where = { ...here(one), key: `token ${keys.address}` }
    weigh('token_guessing', one, where, { tries: mine.tokens, confidence: 70 })
  }

  function noteNonce(one: Case): void {
    const { keys, at } = one
    minute.of(keys.address, at).nonces++
    const tries = minute.sum(keys.address, 'nonces', at)
    const used = minute.sum(keys.address, 'succeeded', at)
    weigh('nonce_farming', one, here(one), { tries, confidence: used === 0 ? 95 : 80, also: used < tries / 5 })
  }

  function noteProof(one: Case): void {
    const { attempt, place, at } = one
    const key = proofKey(attempt)!
    minute.of(key, at).succeeded++
    minute.see(key, place.network, MOST_NETWORKS, at)
    const uses = minute.sum(key, 'succeeded', at)
    const { mode, threshold } = book.rules().replayed_proofs
    if (mode === 'off' || (uses < threshold && minute.distinct(key, at) < MOST_NETWORKS)) return
    const where = { kind: 'proof', key, value: attempt.proof!.slice(0, 16) } as const
    measures.take('replayed_proofs', attempt, where, { tries: uses, confidence: 90 })
  }

  function noteSuccess(one: Case, who: string | undefined): void {
    const { attempt, place, keys, at } = one
    minute.of(keys.address, at).succeeded++
    minute.of(keys.network, at).succeeded++
    minutes.of(keys.address, at).succeeded++
    residents.settle(attempt, keys, at)
    if (who === undefined) return
    const { many_subjects, many_addresses } = book.rules()
    minute.see(keys.address, who, many_subjects.threshold, at)
    const people = minute.distinct(keys.address, at)
    const many = people > many_subjects.threshold
    weigh('many_subjects', one, here(one), { tries: people, confidence: 60, also: many })
    minutes.see(who, place.network, many_addresses.threshold, at)
    const places = minutes.distinct(who, at)
    if (places < many_addresses.threshold) return
    const userId = vault.ids.parse('usr', who)
    const where = { kind: 'user', key: `who ${who}`, value: '', ...(userId !== undefined && { userId }) } as const
    weigh('many_addresses', one, where, { tries: places, confidence: 70 })
  }

  function noteFailure(one: Case): void {
    const { place, keys, at } = one
    for (const key of [keys.address, keys.network, keys.app]) minute.of(key, at).failed++
    minutes.of(keys.address, at).failed++
    minute.see(keys.app, place.address, 50, at)
    const failedAt = (detector: DetectorName, where: Where, least: number) => {
      const tries = minute.sum(where.key, 'failed', at)
      const share = tries / Math.max(1, minute.sum(where.key, 'tries', at))
      weigh(detector, one, where, { tries, confidence: Math.round(share * 95), also: share >= least })
    }
    failedAt('failed_proofs', here(one), 0.5)
    failedAt('failed_proofs_network', { kind: 'network', key: keys.network, value: place.network }, 0.8)
    const tries = minute.sum(keys.app, 'failed', at)
    const spread = minute.distinct(keys.app, at) >= 10
    weigh('failure_surge', one, { kind: 'app', key: keys.app, value: '' }, { tries, confidence: 80, also: spread })
  }

  function noteSpent(one: Case): void {
    const { keys, at } = one
    minute.of(keys.address, at).spent++
    const tries = minute.sum(keys.address, 'spent', at)
    const most = tries >= minute.sum(keys.address, 'tries', at) / 2
    weigh('spent_proofs', one, here(one), { tries, confidence: 85, also: most })
  }

  return (attempt, code, who) => {
    const { app, method } = attempt
    const at = now().getTime()
    const place = placeOf(attempt.ip)
    const keys = keysOf(app, place)
    const one: Case = { attempt, place, keys, at }
    if (method === 'code') return noteCode(one)
    const kind = method === 'nonce' || method === 'token' ? undefined : code === 'ok' ? 'succeeded' : failureOf(code)
    notes.attempt(attempt, place, kind === 'succeeded' ? 'succeeded' : kind === 'stopped' ? 'stopped' : 'failed')
    if (method === 'token') return noteToken(one)
    if (method === 'nonce') noteNonce(one)
    else {
      minute.of(keys.address, at).tries++
      minute.of(keys.network, at).tries++
    }
    const flood = minute.sum(keys.address, 'tries', at) + minute.sum(keys.address, 'nonces', at)
    weigh('flood', one, here(one), { tries: flood, confidence: 75 })
    if (attempt.proof !== undefined && code === 'ok') noteProof(one)
    if (kind === 'succeeded') noteSuccess(one, who)
    else if (kind === 'failed') noteFailure(one)
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
