import type { Runtime } from '#server/runtime.ts'
import { deliver } from './deliver.ts'
import { createSmtp, type Smtp } from './smtp.ts'
import { tellOfDelivery } from './settle.ts'
import { claimEmails, hasDueEmails, releaseOrphans } from './store.ts'
import { wipeCodes } from './wipe.ts'

/** How often the database is asked what is due. */
const POLL_MS = 1_000
/** A process that has not finished a mail by then has died: longer than every time-out of one try together. */
const LEASE_MS = 180_000
const AT_ONCE = 8
const PATIENCE_MS = 10_000

/** Sends what stands in the outbox of mails. */
export type Mailer = {
  /** Whether mails leave at all; otherwise they are kept in the built-in inbox. */
  smtp: Smtp | undefined
  start(): void
  /** Sends everything that is due at this moment. */
  pass(): Promise<void>
  /** Finishes what is being sent, for 10 s at the most; the rest stays queued. */
  stop(): Promise<void>
}

export function createMailer(runtime: Runtime): Mailer {
  const smtp = createSmtp(runtime.config)
  let closing = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()

  async function turn(): Promise<void> {
    const { db, now } = runtime
    await wipeCodes(runtime)
    while (!closing && (await hasDueEmails(db, now()))) {
      const leasedUntil = new Date(now().getTime() + LEASE_MS)
      const { claimed, queued, unconfirmed } = await db.transaction(async (tx) => {
        const orphans = await releaseOrphans(tx, now())
        for (const { deliveryId, ...end } of orphans.unconfirmed)
          if (deliveryId !== null) await tellOfDelivery(runtime, tx, deliveryId, end)
        return { ...orphans, claimed: await claimEmails(tx, { now: now(), leasedUntil, limit: AT_ONCE }) }
      })
      if (queued + unconfirmed.length > 0)
        runtime.log.warn({ queued, unconfirmed: unconfirmed.length }, 'a process died while it was sending mails')
      if (claimed.length === 0) break
      await Promise.all(claimed.map((row) => deliver(runtime, smtp, row)))
    }
  }

  const pass = (): Promise<void> => {
    running = running.then(turn, turn)
    return running
  }

  function schedule(): void {
    if (closing) return
    timer = setTimeout(() => {
      pass()
        .catch((error: unknown) => runtime.log.error({ err: error }, 'mails could not be sent and will be in a moment'))
        .finally(schedule)
    }, POLL_MS).unref()
  }

  return {
    smtp,
    start: schedule,
    pass,
    async stop() {
      closing = true
      clearTimeout(timer)
      const patience = new Promise<void>((resolve) => setTimeout(resolve, PATIENCE_MS).unref())
      await Promise.race([running.catch(() => undefined), patience])
      smtp?.close()
    },
  }
}
