import { closeSync, existsSync, openSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import Sqlite from 'better-sqlite3'
import { AppError } from '#server/error.ts'
import { discard, sync } from './files.ts'

/** Where a backup whose keys were kept apart says so, with the number of that moment. */
const APART = 'personal_keys_apart'

/**
 * Moves people's own keys out of a copy of the database, into a file that takes the place of the one before: a key never changes, so the newest file
 * opens every backup made this way, for everybody who is still there, and nobody who was erased since.
 */
export function takeKeysApart(copy: string, keysFile: string): void {
  const at = new Date().toISOString()
  const fresh = `${keysFile}.${process.pid}.part`
  try {
    closeSync(openSync(fresh, 'wx', 0o600))
    const connection = new Sqlite(copy)
    try {
      connection.pragma('secure_delete = on')
      connection.prepare('attach ? as apart').run(fresh)
      // Whose a key is stays in the copy, and may be another than in the file later on: accounts are joined.
      connection.exec(`create table apart.personal_keys (tag blob primary key not null, sealed blob not null);
        create table apart.made (at text not null);
        insert into apart.personal_keys select tag, sealed from main.personal_keys;
        update main.personal_keys set sealed = zeroblob(0)`)
      connection.prepare('insert into apart.made values (?)').run(at)
      connection.prepare('insert or replace into main.facts (key, value) values (?, ?)').run(APART, at)
      connection.exec('detach apart')
      // Pages that were free in the original may hold anything.
      connection.exec('vacuum')
    } finally {
      connection.close()
    }
    sync(fresh)
    renameSync(fresh, keysFile)
    sync(dirname(keysFile))
  } finally {
    discard(fresh)
  }
}

/**
 * Brings people's keys back into a restored copy whose keys were kept apart. Returns the users who have none: whoever was erased between this backup and
 * the file of keys.
 * @throws AppError invalid_request without the file, or with one that is older than the backup and lacks keys of people who are there
 */
export function bringKeysBack(copy: string, keysFile: string | undefined): number[] {
  const connection = new Sqlite(copy)
  try {
    const apart = connection.prepare('select value from facts where key = ?').pluck().get(APART) as string | undefined
    if (apart === undefined) {
      if (keysFile === undefined) return []
      throw new AppError('invalid_request', 'This backup holds its keys itself; restore it without --keys')
    }
    if (keysFile === undefined || !existsSync(keysFile))
      throw new AppError(
        'invalid_request',
        "People's keys were kept apart from this backup; name their file with --keys",
      )
    connection.prepare('attach ? as apart').run(keysFile)
    const made = connection.prepare('select max(at) from apart.made').pluck().get() as string | null
    if (made === null || made < apart)
      throw new AppError(
        'invalid_request',
        `${keysFile} is older than the backup and lacks keys of people who are in it; use the newest one`,
      )
    connection.exec(`update main.personal_keys as own set sealed = found.sealed
        from apart.personal_keys as found where found.tag = own.tag;
      delete from main.personal_keys where length(sealed) = 0;
      delete from main.facts where key = '${APART}'`)
    const keyless = connection
      .prepare('select id from users where id not in (select user_id from personal_keys)')
      .pluck()
      .all() as number[]
    connection.exec('detach apart')
    return keyless
  } finally {
    connection.close()
  }
}
