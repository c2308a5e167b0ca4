import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import type { ChainApi } from './network.ts'

/** Longer than this nobody waits for a turn. */
const LONGEST_WAIT_MS = 3_000

type Pace = { nextTurn: number; pausedUntil: number }
const paces = new WeakMap<Runtime, Map<string, Pace>>()

function paceOf(runtime: Runtime, { url }: ChainApi): Pace {
  let known = paces.get(runtime)
  if (!known) paces.set(runtime, (known = new Map<string, Pace>()))
  let pace = known.get(url)
  if (!pace) known.set(url, (pace = { nextTurn: 0, pausedUntil: 0 }))
  return pace
}

/** Calls a second that toncenter allows: one without a key, ten with the free one. Others say for themselves when it is too much. */
const turnsPerSecond = (api: ChainApi): number | undefined =>
  /^https:\/\/(testnet\.)?toncenter\.com\//.test(api.url) ? (api.key ? 10 : 1) : undefined

/** Waits for this call's turn. @throws AppError chain_unavailable while the API has asked for a pause, or when too many wait already */
export async function takeTurn(runtime: Runtime, api: ChainApi): Promise<void> {
  const pace = paceOf(runtime, api)
  const pause = pace.pausedUntil - runtime.now().getTime()
  if (pause > 0) throw tooMuch(Math.ceil(pause / 1000))
  const turns = runtime.config.tonApiRate ?? turnsPerSecond(api)
  if (turns === undefined) return
  const now = performance.now()
  const turn = Math.max(now, pace.nextTurn)
  if (turn - now > LONGEST_WAIT_MS) throw tooMuch(Math.ceil((turn - now) / 1000))
  pace.nextTurn = turn + 1000 / turns
  if (turn > now) await new Promise((resolve) => setTimeout(resolve, turn - now))
}

/** Asks nothing more of an API for `seconds`, as it asked. */
export function pause(runtime: Runtime, api: ChainApi, seconds: number): AppError {
  paceOf(runtime, api).pausedUntil = runtime.now().getTime() + seconds * 1000
  return tooMuch(seconds)
}

const tooMuch = (seconds: number) =>
  new AppError('chain_unavailable', `The TON API asks for a pause; try again in ${seconds} s`, {
    retryAfter: seconds,
  })
