import { existsSync, mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Makes a folder and those above it that are missing. Node's own recursive way never returns where the system denies that a parent exists (as below /proc),
 * so each is made by itself.
 */
export function makeFolder(path: string): void {
  const folder = resolve(path)
  if (existsSync(folder)) return
  const parent = dirname(folder)
  if (parent !== folder) makeFolder(parent)
  try {
    mkdirSync(folder)
  } catch (error) {
    // Another process, starting at the same moment, was first.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
