import type { Transaction } from '#server/db/database.ts'
import { getFact, setFact } from '#server/operator/store.ts'
import type { Runtime } from '#server/runtime.ts'
import { keyTag, sealUnder } from '#server/secret/vault.ts'
import { newKey, openPersonal } from './seal.ts'
import {
  findLasting,
  listKeyless,
  replaceContact,
  replaceHandle,
  replaceIdentity,
  replaceProfile,
  replaceQuestions,
} from './store.ts'

/** Up to which user there is nobody without a key. */
const DONE = 'personal_keys_up_to'
const AT_ONCE = 100

/**
 * Gives some of those who were here before there were personal keys one, and seals under it what is kept for as long as they are. Events and mails
 * of that time stay as they are, readable, until their retention is over. Returns how many users it was; 0 when all have one.
 */
export async function keyOldUsers(runtime: Runtime): Promise<number> {
  const { db } = runtime
  const done = await getFact(db, DONE)
  if (done === 'all') return 0
  const keyless = await listKeyless(db, Number(done ?? 0), AT_ONCE)
  await db.transaction(async (tx) => {
    for (const { id } of keyless) await keyUser(runtime, tx, id)
    await setFact(tx, DONE, keyless.length < AT_ONCE ? 'all' : String(keyless.at(-1)!.id))
  })
  return keyless.length
}

async function keyUser(runtime: Runtime, tx: Transaction, userId: number): Promise<void> {
  const { user, identities, profiles, signatures } = await findLasting(tx, userId)
  if (!user) return
  const own = newKey(runtime)
  await own.save(tx, userId)
  const anew = async (sealed: Buffer, place: string): Promise<Buffer> =>
    keyTag(sealed) ? sealed : sealUnder(own.key, await openPersonal(runtime, tx, sealed, place), place)

  const { profileSealed } = user
  if (profileSealed) await replaceProfile(tx, userId, profileSealed, await anew(profileSealed, 'users.profile'))
  for (const row of identities)
    await replaceIdentity(tx, row, {
      subjectSealed: await anew(row.subjectSealed, 'identities.subject'),
      detailsSealed: row.detailsSealed && (await anew(row.detailsSealed, 'identities.details')),
    })
  for (const { id, dataSealed } of profiles)
    await replaceHandle(tx, id, dataSealed, await anew(dataSealed, 'profiles.data'))
  for (const { id, emailSealed, questionsSealed } of signatures) {
    if (emailSealed) await replaceContact(tx, id, emailSealed, await anew(emailSealed, 'signatures.email'))
    if (questionsSealed)
      await replaceQuestions(tx, id, questionsSealed, await anew(questionsSealed, 'signatures.questions'))
  }
}
