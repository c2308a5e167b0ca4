import type { Transaction } from '#server/db/database.ts'
import type { Runtime } from '#server/runtime.ts'
import { updateMailDelivery, type MailChange } from './mailStore.ts'
import { insertAttempts } from './store.ts'

/** What became of a mail that tells of an event, and the try that it came from, if there was one. */
export type MailNews = Omit<MailChange, 'tried'> & {
  attempt?: { at: Date; durationMs: number; outcome: string; status: number | null; response: string }
}

/** Writes into the log of notifications what became of a mail, in the transaction that wrote it down in the outbox of mails. */
export async function noteMail(
  runtime: Runtime,
  tx: Transaction,
  deliveryId: number,
  { attempt, ...change }: MailNews,
): Promise<void> {
  const number = await updateMailDelivery(tx, deliveryId, { ...change, tried: attempt !== undefined })
  if (!attempt || number === undefined) return
  const { response, ...told } = attempt
  const exchange = { url: '', headerNames: [], response: { headers: {}, body: response, truncated: false } }
  await insertAttempts(tx, [
    {
      ...told,
      deliveryId,
      number,
      ...{ timings: null, address: null, signature: null },
      exchangeSealed: runtime.vault.seal(JSON.stringify(exchange), 'attempts.exchange'),
    },
  ])
}
