import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Makes a folder and those above it that are missing. Node's own recursive way never returns where the system denies that a parent exists (as below /proc),
 * so each is made by itself.
 */
export function makeFolder(path: string): void {
  const folder = resolve(path)
  // With a file in its place mkdir says so.
  if (existsSync(folder) && statSync(folder).isDirectory()) return
  const parent = dirname(folder)
  if (parent !== folder) makeFolder(parent)
  try {
    mkdirSync(folder)
  } catch (error) {
    // Another process, starting at the same moment, was first.
    if (existsSync(folder) && statSync(folder).isDirectory()) return
    throw error
  }
}
