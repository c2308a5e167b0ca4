import { randomBytes } from 'node:crypto'
import { insertIdentity, insertUser } from '../server/identity/store.ts'
import type { Runtime } from '../server/runtime.ts'
import { insertSession } from '../server/session/store.ts'

const BATCH = 5_000
const methods = ['telegram', 'ton', 'sso'] as const

/** Live sessions, one a user, spread over a week, through the stores' own statements. */
export async function fillSessions(runtime: Runtime, appId: number, count: number): Promise<void> {
  const now = Date.now()
  for (let done = 0; done < count; done += BATCH) {
    await runtime.db.transaction(async (tx) => {
      for (let n = done; n < Math.min(count, done + BATCH); n++) {
        const createdAt = new Date(now - 604_000_000 + Math.floor((n / count) * 600_000_000))
        const userId = await insertUser(tx, { appId, profileSealed: null, emailHash: null, createdAt })
        const subjectHash = randomBytes(32)
        const identityId = await insertIdentity(tx, {
          appId,
          userId,
          kind: 'telegram',
          subjectHash,
          subjectSealed: runtime.vault.seal(String(n), 'identities.subject'),
          usernameHash: null,
          detailsHash: null,
          detailsSealed: null,
          publicKey: null,
          createdAt,
        })
        await insertSession(tx, {
          appId,
          userId,
          identityId,
          seat: 0,
          method: methods[n % 3]!,
          ip: `10.${n % 200}.${(n >> 8) % 256}.${n % 251}`,
          userAgent: 'Telegram-Android/12.1',
          device: 2,
          country: null,
          createdAt,
          expiresAt: new Date(createdAt.getTime() + 2_592_000_000),
          refreshHash: randomBytes(32),
          refreshExpiresAt: new Date(createdAt.getTime() + 604_800_000),
        })
      }
    })
  }
}
