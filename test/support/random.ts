import { createHash } from 'node:crypto'

/** Bytes that look random and are the same in every run. */
export function randomBytes(seed: string, length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, block) =>
    createHash('sha256').update(`${seed}:${block}`).digest(),
  )
  return Buffer.concat(blocks).subarray(0, length)
}
