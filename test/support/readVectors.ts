import { readFileSync } from 'node:fs'

/** Published samples; each names its source in the file itself. */
export function readVectors<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(`../../../shared/vectors/${file}`, import.meta.url), 'utf8')) as T
}
