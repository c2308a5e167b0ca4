import type { Transaction } from '#server/db/database.ts'
import { mailsOf } from '#server/delivery/mailStore.ts'
import { isResendable, resendIn } from '#server/email/resend.ts'
import type { Notice } from '#server/email/notice.ts'
import { findEmail } from '#server/email/store.ts'
import { openPersonal } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'
import { isWanted, type Choices } from './preferences.ts'
import { findPreferences } from './store.ts'

/**
 * Sends the mails again that some deliveries are, each as a new mail; how many. Left alone is what is still on its way, what has no text any more, and what
 * the person has asked not to be mailed since.
 */
export async function resendMails(runtime: Runtime, tx: Transaction, deliveryIds: number[]): Promise<number> {
  let sent = 0
  for (const id of (await mailsOf(tx, deliveryIds)).values()) {
    const mail = await findEmail(tx, id)
    if (!mail || !isResendable(mail, runtime.now()) || mail.userId === null) continue
    const text = await openPersonal(runtime, tx, mail.variablesSealed!, 'emails.variables')
    const notice = JSON.parse(text) as Notice
    const choices = JSON.parse((await findPreferences(tx, mail.userId))?.choices ?? '{}') as Choices
    if (notice.to === 'person' && !isWanted(choices, notice.group, 'email')) continue
    await resendIn(runtime, tx, mail)
    sent++
  }
  return sent
}
