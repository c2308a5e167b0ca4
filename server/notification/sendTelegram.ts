import type { App } from '#server/app/app.ts'
import type { Attempt } from '#server/delivery/lane.ts'
import type { ClaimedEvent } from '#server/delivery/store.ts'
import { readPayload } from '#server/event/payload.ts'
import { listSubjects } from '#server/event/store.ts'
import { openPersonal, sealFor } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'
import { judgeAnswer, type BotAnswer } from './telegramAnswer.ts'
import { telegramText } from './telegramText.ts'

/** What is remembered of a bot: until when all its calls wait, and when each chat got its last message (performance.now). */
export type Bot = { pausedUntil: Date; lastTo: Map<string, number> }

const TIMEOUT_MS = 10_000
const MOST_BYTES = 16_384
/** Telegram takes about one message a second to one chat. */
const CHAT_EVERY_MS = 1_000
const MOST_CHATS = 10_000

/** Tells a person of an event through their app's bot. */
export async function sendTelegram(runtime: Runtime, app: App, bot: Bot, event: ClaimedEvent): Promise<Attempt> {
  const at = runtime.now()
  const wait = (afterMs: number): Attempt => ({
    at,
    durationMs: 0,
    outcome: 'rate_limited',
    verdict: { kind: 'again', afterMs },
  })
  if (bot.pausedUntil > at) return wait(bot.pausedUntil.getTime() - at.getTime())
  const chat = await chatOf(runtime, event.userId)
  if (chat === undefined || app.secrets.botToken === undefined)
    return { at, durationMs: 0, outcome: chat === undefined ? 'no_telegram' : 'no_bot', verdict: { kind: 'skipped' } }
  const since = performance.now() - (bot.lastTo.get(chat) ?? -Infinity)
  if (since < CHAT_EVERY_MS) return wait(CHAT_EVERY_MS - since)
  if (bot.lastTo.size >= MOST_CHATS) bot.lastTo.clear()
  bot.lastTo.set(chat, performance.now())

  // https://core.telegram.org/bots/webapps#using-bots-in-the-test-environment
  const method = app.settings.telegram.testEnvironment ? 'test/sendMessage' : 'sendMessage'
  const payload = readPayload(await openPersonal(runtime, runtime.db, event.payloadSealed, 'events.payload'))
  const answer = await runtime.outbound.request({
    url: `${runtime.config.telegramApiUrl}/bot${app.secrets.botToken}/${method}`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      chat_id: Number(chat),
      text: telegramText(payload),
      parse_mode: 'HTML',
      link_preview_options: { is_disabled: true },
    }),
    timeoutMs: TIMEOUT_MS,
    maxBytes: MOST_BYTES,
    // Where the Bot API is stands in the environment.
    configured: true,
  })
  const { total, ...timings } = answer.timings
  const common = { at, durationMs: total, timings, address: answer.remoteAddress ?? undefined }
  if ('fault' in answer) return { ...common, outcome: answer.fault, verdict: { kind: 'retry' } }
  const said = readAnswer(answer.body)
  const { outcome, verdict, pauseMs } = judgeAnswer(answer.status, said)
  if (pauseMs !== undefined) bot.pausedUntil = new Date(runtime.now().getTime() + pauseMs)
  const exchange = {
    // The path holds the bot's token.
    url: `${runtime.config.telegramApiUrl}/bot••••/${method}`,
    headerNames: [],
    response: { headers: {}, body: said?.description ?? '', truncated: false },
  }
  return {
    ...common,
    outcome,
    status: answer.status,
    exchangeSealed: await sealFor(runtime, runtime.db, event.userId, JSON.stringify(exchange), 'attempts.exchange'),
    verdict,
    ...(outcome === 'unreachable' && {
      unreachable: { userId: event.userId!, reason: said?.description?.slice(0, 200) ?? 'Forbidden' },
    }),
  }
}

/** A person's private chat with a bot has the number of their Telegram account. */
async function chatOf(runtime: Runtime, userId: number | null): Promise<string | undefined> {
  if (userId === null) return undefined
  const found = (await listSubjects(runtime.db, userId)).find(({ kind }) => kind === 'telegram')
  return found && openPersonal(runtime, runtime.db, found.subjectSealed, 'identities.subject')
}

function readAnswer(body: Buffer): BotAnswer | undefined {
  try {
    return JSON.parse(body.toString('utf8')) as BotAnswer
  } catch {
    return undefined
  }
}
