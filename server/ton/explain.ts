import { z } from 'zod'
import { AppError, type ErrorCode } from '../error.ts'
import { formatAddress, parseAddress } from './address.ts'
import { readTimestamp, verifyTonProof } from './proof.ts'
import { ed25519PublicKey } from './publicKey.ts'
import { walletFromStateInit, type Wallet } from './wallet.ts'

export type TonExplanation = {
  valid: boolean
  /** The first check that failed, for people, and its public code. */
  reason?: string
  code?: ErrorCode
  /** What was not checked, for want of something to check against. */
  skipped: string[]
  address?: string
  friendlyAddress?: string
  version?: Wallet['version']
  walletId?: number
  publicKey?: string
  /** The network that the wallet is bound to; only V5 wallets are bound to one. */
  walletNetwork?: Wallet['network']
  /** The network that was claimed, which proves nothing. */
  network?: string
  domain?: string
  timestamp?: Date
  payload?: string
}

type Options = {
  /** Each left out is not checked. */
  now?: Date | undefined
  domains?: readonly string[] | undefined
  payload?: string | undefined
  /** Seconds. */
  maxAge?: number | undefined
}

const account = z.object({
  address: z.string(),
  publicKey: z.string().nullish(),
  stateInit: z.string('is missing: without it the key cannot be bound to the address, unless the chain is asked'),
  network: z.union([z.string(), z.number()]).nullish(),
})

const proof = z.object({
  timestamp: z.union([z.string(), z.number()]),
  domain: z.object({ value: z.string(), lengthBytes: z.number().optional() }),
  signature: z.string(),
  payload: z.string(),
})

/**
 * Tells an integrator whether a TON Connect proof holds and, if not, why. `data` is JSON or its text: TON Connect's
 * `{account, proof}`, or the members side by side as most back ends post them. What can be read is told even where a
 * check failed.
 */
export function explainTonProof(data: unknown, options: Options = {}): TonExplanation {
  return explain((explanation) => {
    if (!options.now) explanation.skipped.push('age')
    if (!options.domains) explanation.skipped.push('domain')
    if (options.payload === undefined) explanation.skipped.push('payload')

    const members = readObject(data)
    const given = read(proof, readProof(members), 'proof')
    const timestamp = new Date(readTimestamp(given) * 1000)
    Object.assign(explanation, { domain: given.domain.value, timestamp, payload: given.payload })

    const { address, publicKey } = explainWallet(explanation, members)
    verifyTonProof({
      address,
      publicKey: ed25519PublicKey(publicKey),
      proof: given,
      domains: options.domains ?? [given.domain.value],
      payload: options.payload ?? given.payload,
      now: options.now ?? timestamp,
      maxAge: options.maxAge,
    })
  })
}

/** Tells whether a state init makes an address, and of which wallet and key. `data` is JSON or its text. */
export function explainTonAddress(data: unknown): TonExplanation {
  return explain((explanation) => {
    explainWallet(explanation, readObject(data))
  })
}

function explain(check: (explanation: TonExplanation) => void): TonExplanation {
  const explanation: TonExplanation = { valid: false, skipped: [] }
  try {
    check(explanation)
    return { ...explanation, valid: true }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return { ...explanation, reason: error.message, code: error.code }
  }
}

/** From the account to the key that its address is bound to. */
function explainWallet(explanation: TonExplanation, members: Members): { address: string; publicKey: Buffer } {
  const given = read(account, readAccount(members), 'account')
  const address = parseAddress(given.address)
  explanation.address = address
  explanation.friendlyAddress = formatAddress(address, { bounceable: false, testOnly: String(given.network) === '-3' })
  if (given.network !== undefined && given.network !== null) explanation.network = String(given.network)

  const wallet = walletFromStateInit(address, given.stateInit)
  if (!wallet) {
    throw new AppError(
      'invalid_request',
      'The state init is of no standard wallet; only the chain can tell its key (get_public_key)',
    )
  }
  const publicKey = wallet.publicKey.toString('hex')
  Object.assign(explanation, { version: wallet.version, publicKey })
  if (wallet.walletId !== undefined) explanation.walletId = wallet.walletId
  if (wallet.network !== undefined) explanation.walletNetwork = wallet.network
  if (given.publicKey && given.publicKey.toLowerCase() !== publicKey) {
    throw new AppError('invalid_signature', "The publicKey that was sent is not the one in the wallet's state init")
  }
  return { address, publicKey: wallet.publicKey }
}

type Members = Record<string, unknown>

function readObject(data: unknown): Members {
  let value = data
  if (typeof data === 'string') {
    try {
      value = JSON.parse(data)
    } catch (cause) {
      throw new AppError('invalid_request', 'The data is not JSON', { cause })
    }
  }
  const members = asMembers(value)
  if (!members) throw new AppError('invalid_request', 'The data is not a JSON object')
  return members
}

function asMembers(value: unknown): Members | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : undefined
}

/** TON Connect's item holds its name beside the proof proper. */
function readProof(members: Members): unknown {
  const item = asMembers(members.proof)
  return asMembers(item?.proof) ?? item
}

/** TON Connect calls the network chain; the demo back ends put the state init into the proof. */
function readAccount(members: Members): Members {
  const given = asMembers(members.account) ?? members
  const item = asMembers(readProof(members))
  return {
    address: given.address,
    publicKey: given.publicKey ?? given.public_key,
    stateInit: given.walletStateInit ?? given.stateInit ?? item?.state_init ?? item?.stateInit ?? undefined,
    network: given.network ?? given.chain,
  }
}

function read<T>(schema: z.ZodType<T>, value: unknown, name: string): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new AppError('invalid_request', `${[name, ...(issue?.path ?? [])].join('.')}: ${issue?.message}`)
}
