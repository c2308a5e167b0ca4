import { closeSync, fsyncSync, openSync, rmSync } from 'node:fs'

/** Removes an SQLite file with what SQLite puts beside it. */
export function discard(file: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true })
}

/** Has the system write a file, or what a folder lists, to the disk. */
export function sync(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
