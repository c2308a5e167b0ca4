import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { AppError } from '#server/error.ts'
import { blockUser, unblockUser } from '#server/identity/block.ts'
import { findUser } from '#server/identity/store.ts'
import { recordAudit, type Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import { deleteBlock, findBlock, insertBlock, moveVersion, type BlockRow } from './store.ts'

export type NewBlock = {
  effect: BlockRow['effect']
  kind: BlockRow['kind']
  /** An address or a network; left out for a user or an app. */
  value?: string | undefined
  userId?: number | undefined
  appId?: number | undefined
  reason: string
  expiresAt?: Date | undefined
}

/**
 * Keeps somebody out, or always lets somebody in: effective on the next call. Blocking a user ends their sessions.
 * @throws AppError invalid_request, not_found
 */
export async function createBlock(runtime: Runtime, actor: Actor, input: NewBlock): Promise<BlockRow> {
  const now = runtime.now()
  const value = readValue(input)
  if (input.expiresAt && input.expiresAt <= now) throw invalid('expiresAt', 'lies in the past')
  const user = input.userId === undefined ? undefined : await findUser(runtime.db, input.userId)
  if (input.kind === 'user' && !user) throw new AppError('not_found', 'There is no such user')
  // Also ends the sessions; the list then says until when.
  if (input.kind === 'user' && input.effect === 'block') await blockUser(runtime, actor, user!.id, input.reason || null)
  const row = await runtime.db.transaction(async (tx) => {
    const row = await insertBlock(tx, {
      effect: input.effect,
      kind: input.kind,
      value,
      userId: user?.id ?? null,
      appId: user?.appId ?? input.appId ?? null,
      reason: input.reason,
      author: actor.label,
      automatic: false,
      createdAt: now,
      expiresAt: input.expiresAt ?? null,
    })
    await moveVersion(tx, `${row.id} ${now.getTime()}`)
    await recordAudit(tx, {
      at: now,
      actor,
      action: `${input.effect}.create`,
      ...(row.appId !== null && { appId: row.appId }),
      target: { kind: 'block', id: row.id, ...(value !== null && { label: value }) },
      after: { kind: row.kind, value, reason: row.reason, expiresAt: row.expiresAt?.toISOString() ?? null },
    })
    return row
  })
  await runtime.traffic.reload()
  return row
}

/** Lifts a block, or takes an allowance back. @throws AppError not_found */
export async function removeBlock(runtime: Runtime, actor: Actor, id: number): Promise<void> {
  const now = runtime.now()
  // What the watch has just decided must be in the table before it can be lifted.
  await runtime.traffic.flush()
  const found = await findBlock(runtime.db, id)
  if (!found) throw new AppError('not_found', 'There is no such block')
  await runtime.db.transaction(async (tx) => {
    const row = await deleteBlock(tx, id)
    if (!row) throw new AppError('not_found', 'There is no such block')
    await moveVersion(tx, `-${row.id} ${now.getTime()}`)
    await recordAudit(tx, {
      at: now,
      actor,
      action: `${row.effect}.delete`,
      ...(row.appId !== null && { appId: row.appId }),
      target: { kind: 'block', id: row.id, ...(row.value !== null && { label: row.value }) },
      before: { kind: row.kind, value: row.value, reason: row.reason },
    })
  })
  if (found.kind === 'user' && found.userId !== null && found.effect === 'block')
    await unblockUser(runtime, actor, found.userId)
  await runtime.traffic.reload()
}

/** An address, or a network with the bits beyond its prefix cleared, so that one network has one spelling. */
function readValue({ kind, value, userId, appId }: NewBlock): string | null {
  switch (kind) {
    case 'address':
      if (value === undefined || isIP(value) === 0) throw invalid('value', 'must be an address such as 203.0.113.7')
      return ipaddr.process(value).toString()
    case 'network': {
      if (value === undefined || !ipaddr.isValidCIDR(value))
        throw invalid('value', 'must be a CIDR network such as 203.0.113.0/24')
      const [address, prefix] = ipaddr.parseCIDR(value)
      const whole = address.kind() === 'ipv4' ? 8 : 16
      if (prefix < whole)
        throw invalid('value', `must not be wider than /${whole}: that is a good part of the Internet`)
      const network =
        address.kind() === 'ipv4'
          ? ipaddr.IPv4.networkAddressFromCIDR(value)
          : ipaddr.IPv6.networkAddressFromCIDR(value)
      return `${network.toString()}/${prefix}`
    }
    case 'user':
      if (userId === undefined) throw invalid('userId', 'names the user')
      return null
    case 'app':
      if (appId === undefined) throw invalid('appId', 'names the app')
      return null
  }
}

const invalid = (path: string, message: string) =>
  new AppError('invalid_request', 'The input does not fit; see errors', { errors: [{ path, message }] })
