import { accessSync, constants, existsSync, mkdirSync, statfsSync, statSync } from 'node:fs'
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
    // What is kept in it is for whoever runs Gatehouse alone.
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    // Another process, starting at the same moment, was first.
    if (existsSync(folder) && statSync(folder).isDirectory()) return
    throw error
  }
}

/** File systems that say they may be written to, and hold nothing but what Linux itself puts there: proc and sysfs. */
const KERNELS_OWN = new Set([0x9fa0, 0x62656572])

/** Why this process could not keep its files in a folder, which it may still have to make; undefined when it could. Changes nothing. */
export function folderFault(path: string): string | undefined {
  let there = resolve(path)
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there)
  if (!statSync(there).isDirectory()) return `needs a folder where ${there} is a file`
  try {
    accessSync(there, constants.W_OK | constants.X_OK)
  } catch {
    return `needs ${there}, where this user may not write`
  }
  return KERNELS_OWN.has(statfsSync(there).type) ? `needs ${there}, where nobody can make a folder` : undefined
}
