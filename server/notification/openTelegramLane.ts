import { appIn, type App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import type { Attempt, Lane } from '#server/delivery/lane.ts'
import type { Runtime } from '#server/runtime.ts'
import { sendTelegram, type Bot } from './sendTelegram.ts'
import { savePreferences } from './store.ts'

/** Messages of one bot a second, below the 30 that Telegram allows, and at once. */
const RATE = 25
const CONCURRENCY = 10

const bots = new WeakMap<Runtime, Map<number, Bot>>()

/** The bot of an app as a lane; closed while the app has none. Its pauses are kept in memory: Telegram tells them again to who asks. */
export async function openTelegramLane(
  runtime: Runtime,
  tx: Transaction,
  id: number,
  now: Date,
): Promise<Lane | undefined> {
  const app = await appIn(runtime, tx, -id)
  if (!app) return undefined
  const bot = botOf(runtime, app)
  return {
    id,
    appId: app.id,
    open: app.secrets.botToken !== undefined && !app.disabled,
    rate: RATE,
    concurrency: CONCURRENCY,
    ordered: false,
    openUntil: bot.pausedUntil > now ? bot.pausedUntil : null,
    probing: false,
    send: (delivery, event) => sendTelegram(runtime, app, bot, event),
    note: async (tx: Transaction, attempts: Attempt[], at: Date) => {
      for (const { unreachable } of attempts) {
        if (!unreachable) continue
        const { userId, reason } = unreachable
        await savePreferences(tx, userId, { telegramEndedAt: at, telegramEndReason: reason })
      }
    },
  }
}

function botOf(runtime: Runtime, app: App): Bot {
  let known = bots.get(runtime)
  if (!known) bots.set(runtime, (known = new Map()))
  let bot = known.get(app.id)
  if (!bot) known.set(app.id, (bot = { pausedUntil: new Date(0), lastTo: new Map() }))
  return bot
}
