import { addressOf, jettonOf, tonOf, type Asset, type Metadata } from './asset.ts'
import { readAmount } from './json.ts'
import { plainComment, readMessage, type Message } from './message.ts'

/** What moved, seen from the wallet. `kind` tells money that was sent from what contracts say to each other around it. */
export type Transfer = {
  direction: 'in' | 'out'
  kind: 'transfer' | 'returned' | 'jetton_message' | 'call'
  asset: Asset
  /** Whole number of the smallest unit. */
  amount: string
  from: string | null
  to: string | null
  comment: string | null
}

/** One entry of a wallet's history. */
export type Transaction = {
  /** Hexadecimal. */
  hash: string
  /** Logical time: the order of the history. */
  lt: string
  at: Date
  success: boolean
  /** What the wallet paid for it; null for what happened at the jetton's contract. */
  fee: string | null
  transfers: Transfer[]
}

/** Newest first. Logical times are whole numbers of any length, and equal ones (of different contracts) go by hash. */
export const newestFirst = (a: Position, b: Position): number =>
  a.lt === b.lt ? (a.hash < b.hash ? 1 : a.hash > b.hash ? -1 : 0) : BigInt(a.lt) < BigInt(b.lt) ? 1 : -1

export type Position = Pick<Transaction, 'lt' | 'hash'>

/** transfer, internal transfer, notification, excesses, burn of TEP-74: the gas and the letters that go with a jetton, not a payment of their own. */
const jettonOpcodes = new Set([0x0f8a7ea5, 0x178d4519, 0x7362d09c, 0xd53276db, 0x595f07bc])

/** A transaction of toncenter v3 (`transactions`). Undefined when it cannot be read. */
export function transactionV3(value: unknown, account: string, symbol: string): Transaction | undefined {
  const raw = value as Record<string, unknown>
  const [hash, lt, fee] = [hexOf(raw['hash']), ltOf(raw['lt']), readAmount(raw['total_fees'])]
  const at = momentOf(raw['now'])
  if (!hash || !lt || !at) return undefined
  const description = (raw['description'] ?? {}) as {
    aborted?: unknown
    compute_ph?: { success?: unknown; skipped?: unknown }
    action?: { success?: unknown } | null
  }
  const [received, sent] = [readMessage(raw['in_msg']), messagesOf(raw['out_msgs'])]
  if ([received, ...sent].some(lacksValue)) return undefined
  // What is credited stays credited when the contract had no gas to run (aborted); what came from outside did nothing then.
  const success = received?.value === undefined ? description.aborted !== true : true
  return {
    hash,
    lt,
    at,
    success,
    fee: fee ?? null,
    transfers: transfersOf(received, sent, account, symbol),
  }
}

/** A transaction of toncenter v2 (`getTransactions`). */
export function transactionV2(value: unknown, account: string, symbol: string): Transaction | undefined {
  const raw = value as Record<string, unknown>
  const id = (raw['transaction_id'] ?? {}) as Record<string, unknown>
  const [hash, lt, fee] = [hexOf(id['hash']), ltOf(id['lt']), readAmount(raw['fee'])]
  const at = momentOf(raw['utime'])
  if (!hash || !lt || !at) return undefined
  const [received, sent] = [readMessage(raw['in_msg']), messagesOf(raw['out_msgs'])]
  if ([received, ...sent].some(lacksValue)) return undefined
  const transfers = transfersOf(received, sent, account, symbol)
  return { hash, lt, at, success: true, fee: fee ?? null, transfers }
}

/** A jetton's transfer of toncenter v3 (`jetton/transfers`), seen from its owner. */
export function jettonTransfer(
  value: unknown,
  owner: string,
  metadata: Metadata | undefined,
  vouched: readonly string[],
): Transaction | undefined {
  const raw = value as Record<string, unknown>
  const [hash, lt] = [hexOf(raw['transaction_hash']), ltOf(raw['transaction_lt'])]
  const [master, amount] = [addressOf(raw['jetton_master']), readAmount(raw['amount'])]
  const [from, to] = [addressOf(raw['source']), addressOf(raw['destination'])]
  const at = momentOf(raw['transaction_now'])
  if (!hash || !lt || !master || amount === undefined || !at) return undefined
  const decoded = raw['decoded_forward_payload'] as { '@type'?: unknown; comment?: unknown } | null | undefined
  const comment = typeof decoded?.comment === 'string' ? plainComment(decoded.comment) : null
  return {
    hash,
    lt,
    at,
    success: raw['transaction_aborted'] !== true,
    fee: null,
    transfers: [
      {
        direction: to === owner ? 'in' : 'out',
        kind: 'transfer',
        asset: jettonOf(master, metadata, vouched),
        amount,
        from: from ?? null,
        to: to ?? null,
        comment,
      },
    ],
  }
}

/** What goes from account to account brings an amount; one that cannot be read would be a transfer that nobody sees. */
const lacksValue = (message: Message | undefined): boolean =>
  message?.from !== undefined && message.to !== undefined && message.value === undefined

const messagesOf = (list: unknown): Message[] =>
  (Array.isArray(list) ? list : []).flatMap((one) => readMessage(one) ?? [])

function transfersOf(received: Message | undefined, sent: Message[], account: string, symbol: string): Transfer[] {
  const asset = tonOf(symbol)
  const one = (direction: Transfer['direction'], message: Message): Transfer[] =>
    message.value === undefined
      ? []
      : [
          {
            direction,
            kind: kindOf(message),
            asset,
            amount: message.value,
            from: message.from ?? null,
            to: message.to ?? null,
            comment: message.comment,
          },
        ]
  return [
    ...(received && received.to === account ? one('in', received) : []),
    ...sent.flatMap((message) => one('out', message)),
  ]
}

function kindOf({ bounced, opcode }: Message): Transfer['kind'] {
  if (bounced) return 'returned'
  if (opcode === undefined || opcode === 0) return 'transfer'
  return jettonOpcodes.has(opcode) ? 'jetton_message' : 'call'
}

/** A logical time as text; undefined for what the chain will not reach within a century. */
function ltOf(value: unknown): string | undefined {
  const lt = readAmount(value)
  return lt !== undefined && Number.isSafeInteger(Number(lt)) ? lt : undefined
}

/** Seconds since 1970 as a moment; undefined for what no block can have. */
function momentOf(value: unknown): Date | undefined {
  const seconds = Number(readAmount(value) ?? NaN)
  return seconds < 2 ** 32 ? new Date(seconds * 1000) : undefined
}

/** 32 bytes in base64, base64url or hexadecimal as hexadecimal. */
function hexOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  if (/^[0-9a-fA-F]{64}$/.test(value)) return value.toLowerCase()
  return /^[\w+/-]{43}=?$/.test(value) ? Buffer.from(value, 'base64').toString('hex') : undefined
}
