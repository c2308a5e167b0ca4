import type { Transaction } from '#server/db/database.ts'
import type { Stop } from '#server/email/stop.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Choices } from './preferences.ts'
import { findPreferences, savePreferences } from './store.ts'

/** Switches the mails about one group off for a person, or on again; the rest of what they chose stays. Security is not theirs to switch. */
export function stopMails(runtime: Runtime, { userId, group }: Stop, wanted: boolean): Promise<void> {
  return runtime.db.transaction(async (tx: Transaction) => {
    if (group === 'security') return
    await tx.lock(`preferences of user ${userId}`)
    const row = await findPreferences(tx, userId)
    const choices = JSON.parse(row?.choices ?? '{}') as Choices
    const after = { ...choices, [group]: { ...choices[group], email: wanted } }
    await savePreferences(tx, userId, { choices: JSON.stringify(after) })
  })
}
