import type { Verdict } from '#server/delivery/lane.ts'

export type BotAnswer = {
  ok?: boolean
  error_code?: number
  description?: string
  parameters?: { retry_after?: number }
}

/** What an answer of the Bot API means for a message. */
export type Judged = { outcome: string; verdict: Verdict; pauseMs?: number }

/** Refusals that say: there is no chat with this person any more, or there never was one. */
const NO_CHAT =
  /chat not found|user not found|PEER_ID_INVALID|USER_DEACTIVATED|user is deactivated|bot was blocked|bot can't initiate|bot was kicked|CHAT_WRITE_FORBIDDEN|group chat was deactivated|group is deactivated/i

const LONGEST_PAUSE_S = 86_400

/** Judges an answer to sendMessage: a 429 makes all of the bot's calls wait, a 403 ends the channel to this person. */
export function judgeAnswer(status: number, answer: BotAnswer | undefined): Judged {
  const code = answer?.error_code ?? status
  const said = answer?.description ?? ''
  if (status === 200 && answer?.ok === true) return { outcome: 'ok', verdict: { kind: 'delivered' } }
  if (code === 429) {
    const seconds = Math.min(Math.max(1, answer?.parameters?.retry_after ?? 5), LONGEST_PAUSE_S)
    const pauseMs = seconds * 1000
    return { outcome: 'rate_limited', verdict: { kind: 'again', afterMs: pauseMs }, pauseMs }
  }
  if (code === 403 || (code === 400 && NO_CHAT.test(said)))
    return { outcome: 'unreachable', verdict: { kind: 'skipped' } }
  // Another text would be needed; the same one will not do tomorrow either.
  if (code === 400) return { outcome: 'http_4xx', verdict: { kind: 'dead' } }
  return { outcome: `http_${Math.floor(code / 100)}xx`, verdict: { kind: 'retry' } }
}
