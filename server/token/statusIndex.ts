import type { Vault } from '#server/secret/vault.ts'

/** A list holds a bit for each of this many sessions: 128 KiB before compression, whatever the installation's size. */
export const LIST_SIZE = 2 ** 20
const HALF = 2 ** 10
const ROUNDS = 4

const tables = new WeakMap<Vault, Uint16Array[]>()

/**
 * Where a session's bit is: which list, and which place in it. The places of a list are a keyed permutation of the sessions' numbers (four Feistel
 * rounds), so that no token tells how many people signed in before its own.
 */
export function statusIndex(vault: Vault, sessionId: number): { list: number; index: number } {
  let left = Math.floor((sessionId % LIST_SIZE) / HALF)
  let right = sessionId % HALF
  for (const table of roundsOf(vault)) [left, right] = [right, left ^ table[right]!]
  return { list: Math.floor(sessionId / LIST_SIZE), index: left * HALF + right }
}

function roundsOf(vault: Vault): Uint16Array[] {
  let rounds = tables.get(vault)
  if (!rounds) {
    rounds = Array.from({ length: ROUNDS }, (_, round) => {
      const blocks = Array.from({ length: HALF / 16 }, (_, block) => vault.hash(`${round} ${block}`, 'status_list'))
      const bytes = Buffer.concat(blocks)
      return Uint16Array.from({ length: HALF }, (_, at) => bytes.readUInt16BE(at * 2) % HALF)
    })
    tables.set(vault, rounds)
  }
  return rounds
}

/** The address of a list of an app; the first has none but the path. */
export function statusListUri(issuer: string, appId: string, list: number): string {
  return `${issuer}/v1/apps/${appId}/revocations${list === 0 ? '' : `?list=${list}`}`
}
