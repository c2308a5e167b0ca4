import type { Transaction } from '#server/db/database.ts'
import type { Claimed, ClaimedEvent } from './store.ts'

/** What one try came to. */
export type Attempt = {
  at: Date
  durationMs: number
  /** A stable word, such as `http_5xx` or `name_not_found`; `ok` when it was taken. */
  outcome: string
  status?: number | undefined
  /** Milliseconds of each phase. */
  timings?: Record<string, number | null> | undefined
  /** The address that was connected to. */
  address?: string | undefined
  signature?: string | undefined
  exchangeSealed?: Buffer | undefined
  verdict: Verdict
  /** A person whom this channel does not reach any more. */
  unreachable?: { userId: number; reason: string }
}

export type Verdict =
  | { kind: 'delivered' }
  /** Try again as the schedule says, or later if the receiver asks for it. */
  | { kind: 'retry'; retryAfterMs?: number | undefined }
  /** Not the receiver's fault: try again soon, and count nothing. */
  | { kind: 'again'; afterMs: number }
  /** A retry would not help. */
  | { kind: 'dead' }
  /** Nobody is to be told over this channel any more. */
  | { kind: 'skipped' }

/** How deliveries of one lane are sent: an endpoint's, or those of an app's bot. */
export type Lane = {
  id: number
  appId: number
  /** False while its endpoint is off: what waits is held. */
  open: boolean
  /** Deliveries a second, and at once. */
  rate: number
  concurrency: number
  /** One person's events one after the other. */
  ordered: boolean
  /** While this lies ahead nothing is sent. */
  openUntil: Date | null
  /** Only one delivery at once, to see whether the receiver is back. */
  probing: boolean
  /** Sends one delivery. Never throws for what a receiver does. */
  send(delivery: Claimed, event: ClaimedEvent): Promise<Attempt>
  /** Writes what a batch of attempts says of the lane's health, in their transaction. */
  note(tx: Transaction, attempts: Attempt[], now: Date): Promise<void>
}

/** The lane of a number as it is now, for one claim; undefined when its endpoint or app is gone. */
export type OpenLane = (tx: Transaction, id: number, now: Date) => Promise<Lane | undefined>
