import { createChallenge, verifySolution, type Challenge, type Payload } from 'altcha-lib'
import { deriveKey } from 'altcha-lib/algorithms/sha'
import * as z from 'zod'
import type { Vault } from '#server/secret/vault.ts'

const TTL_MS = 300_000
const MOST_SOLVED = 50_000
/** 16 bits of SHA-256: some tenths of a second in a browser, and a hash to check. */
const PREFIX = '0000'

const payload = z.object({
  challenge: z.object({
    parameters: z.looseObject({
      algorithm: z.literal('SHA-256'),
      nonce: z.string().max(128),
      salt: z.string().max(128),
      cost: z.literal(1),
      keyLength: z.literal(32),
      keyPrefix: z.literal(PREFIX),
      data: z.object({ app: z.string().max(64), until: z.number() }),
    }),
    signature: z.string().max(128),
  }),
  solution: z.object({
    counter: z.number().int().min(0),
    derivedKey: z.string().max(128),
    time: z.number().optional(),
  }),
})

/** Work that a browser does in passing and a bot has to do for every try (ALTCHA's proof of work, version 2). */
export type Challenges = {
  /** @param app the app's public id, which alone it serves */
  make(app: string, now: Date): Promise<Challenge>
  /** Whether a solved challenge is one of ours, of this app, fresh, and not used before. @param text base64 of what ALTCHA's client makes */
  solved(text: string, app: string, now: Date): Promise<boolean>
}

export function createChallenges(vault: Vault): Challenges {
  const secret = vault.hash('challenge', 'traffic').toString('hex')
  let used = new Set<string>()
  return {
    make: (app, now) =>
      createChallenge({
        algorithm: 'SHA-256',
        cost: 1,
        keyPrefix: PREFIX,
        deriveKey,
        hmacSignatureSecret: secret,
        // Not the library's own expiry, which goes by another clock than ours.
        data: { app, until: now.getTime() + TTL_MS },
      }),
    async solved(text, app, now) {
      const read = readPayload(text)
      if (!read) return false
      const { challenge } = read
      const { data } = challenge.parameters
      if (data.app !== app || now.getTime() >= data.until || used.has(challenge.signature)) return false
      const { verified } = await verifySolution({ ...(read as Payload), deriveKey, hmacSignatureSecret: secret })
      if (!verified || used.has(challenge.signature)) return false
      if (used.size >= MOST_SOLVED) used = new Set()
      used.add(challenge.signature)
      return true
    },
  }
}

function readPayload(text: string): z.infer<typeof payload> | undefined {
  if (text.length > 4096) return undefined
  try {
    return payload.safeParse(JSON.parse(Buffer.from(text, 'base64').toString('utf8'))).data
  } catch {
    // Whatever was sent is no solution.
    return undefined
  }
}
