import type { App } from '#server/app/app.ts'
import type { Reader } from '#server/db/database.ts'
import { openProfile, openSubject, subjectHash } from '#server/identity/findOrCreate.ts'
import type { Runtime } from '#server/runtime.ts'
import { findProfile, findUserOfSubject, listSubjects } from './store.ts'

/** What an app calls a user: the `sub` of its token-info URL where they came through that, else our id. */
export async function subjectOf(runtime: Runtime, db: Reader, userId: number): Promise<string> {
  const sso = (await listSubjects(db, userId)).find(({ kind }) => kind === 'sso')
  return sso ? openSubject(runtime, db, sso.subjectSealed) : runtime.vault.ids.seal('usr', userId)
}

/** The user whom an app means by an id of ours, a `sub` of its own, or a Telegram id; undefined for somebody who never signed in. */
export async function userOf(
  runtime: Runtime,
  db: Reader,
  app: Pick<App, 'id'>,
  user: string,
): Promise<number | undefined> {
  const { vault } = runtime
  const own = vault.ids.parse('usr', user)
  if (own !== undefined) return (await findProfile(db, own))?.appId === app.id ? own : undefined
  const find = (kind: 'sso' | 'telegram') =>
    findUserOfSubject(db, { appId: app.id, kind, subjectHash: subjectHash(vault, kind, user) })
  return (await find('sso')) ?? (/^\d{1,16}$/.test(user) ? await find('telegram') : undefined)
}

/** 48 bits that stand for whom an event is about, to search by and to keep one person's events in order. */
export function subjectKey(runtime: Runtime, appId: number, user: string): number {
  return runtime.vault.hash(`${appId} ${user}`, 'events.subject').readUIntBE(0, 6)
}

/** The language a user asked for, as a BCP 47 tag. */
export async function languageOf(runtime: Runtime, db: Reader, userId: number): Promise<string | undefined> {
  const row = await findProfile(db, userId)
  return (await openProfile(runtime, db, row?.profileSealed ?? null)).language
}
