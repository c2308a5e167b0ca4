import type { IncomingMessage, RequestListener } from 'node:http'
import { Address, beginCell, Cell, storeMessage, storeTransaction, type Message, type Transaction } from '@ton/core'
import type { LocalChain } from './localChain.ts'

/** What an API of toncenter's shape can be asked here: v3 and v2, as far as Gatehouse asks (ton-org/docs ecosystem/api/toncenter). */
export function toncenter(chain: LocalChain): RequestListener {
  return (request, response) => {
    answer(chain, request).then(
      (body) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      (error: unknown) =>
        response
          .writeHead(422, { 'content-type': 'application/json' })
          .end(JSON.stringify({ code: 422, error: (error as Error).message })),
    )
  }
}

async function answer(chain: LocalChain, request: IncomingMessage): Promise<unknown> {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const query = Object.fromEntries(url.searchParams)
  const [, version, call] = /^\/api\/(v[23])\/(.+)$/.exec(url.pathname) ?? []
  if (call === 'runGetMethod') return runGetMethod(chain, version!, JSON.parse(await textOf(request)))
  const calls = version === 'v2' ? v2 : v3
  const handler = calls[call ?? '']
  if (!handler) throw new Error(`There is no ${url.pathname}`)
  return handler(chain, query)
}

type Call = (chain: LocalChain, query: Record<string, string>) => unknown

const raw = (address: string) => Address.parse(address).toRawString()
const upper = (address: Address | string) =>
  (typeof address === 'string' ? address : address.toRawString()).toUpperCase()

const v3: Record<string, Call> = {
  async accountStates(chain, { address }) {
    const { balance, status } = await chain.account(raw(address!))
    const known = { address: upper(raw(address!)), balance: String(balance), status }
    return { accounts: [known], address_book: {}, metadata: {} }
  },
  'jetton/wallets': (chain, { owner_address }) => {
    const owner = raw(owner_address!)
    const held = new Map<string, bigint>()
    for (const move of chain.jettonMoves) {
      const change = (move.to === owner ? move.amount : 0n) - (move.from === owner ? move.amount : 0n)
      held.set(move.master, (held.get(move.master) ?? 0n) + change)
    }
    const jetton_wallets = [...held]
      .filter(([, balance]) => balance > 0n)
      .map(([master, balance]) => ({ owner: upper(owner), jetton: upper(master), balance: String(balance) }))
    return { jetton_wallets, address_book: {}, metadata: metadata(chain) }
  },
  transactions: (chain, { account, limit, end_lt, start_lt, sort }) => {
    const within = chain
      .transactions(raw(account!))
      .filter((one) => (!end_lt || one.lt <= BigInt(end_lt)) && (!start_lt || one.lt >= BigInt(start_lt)))
    const ordered = sort === 'asc' ? within.reverse() : within
    return { transactions: ordered.slice(0, Number(limit ?? 10)).map(transactionV3), address_book: {} }
  },
  'jetton/transfers': (chain, { owner_address, limit, end_lt, start_lt, sort }) => {
    const owner = raw(owner_address!)
    const within = chain.jettonMoves.filter(
      (move) =>
        (move.from === owner || move.to === owner) &&
        (!end_lt || move.lt <= BigInt(end_lt)) &&
        (!start_lt || move.lt >= BigInt(start_lt)),
    )
    const jetton_transfers = (sort === 'asc' ? within.reverse() : within).slice(0, Number(limit ?? 10)).map((move) => ({
      source: upper(move.from),
      destination: upper(move.to),
      amount: String(move.amount),
      jetton_master: upper(move.master),
      transaction_hash: move.hash.toString('base64'),
      transaction_lt: String(move.lt),
      transaction_now: move.at,
      transaction_aborted: false,
      decoded_forward_payload: move.comment === undefined ? null : { '@type': 'text_comment', comment: move.comment },
    }))
    return { jetton_transfers, address_book: {}, metadata: metadata(chain) }
  },
  pendingTransactions: () => ({ transactions: [], address_book: {} }),
}

const v2: Record<string, Call> = {
  async getAddressInformation(chain, { address }) {
    const { balance, status } = await chain.account(raw(address!))
    const state = status === 'active' || status === 'frozen' ? status : 'uninitialized'
    // A number for an account that was never used, as toncenter has it.
    return {
      ok: true,
      result: { '@type': 'raw.fullAccountState', balance: balance === 0n ? 0 : String(balance), state },
    }
  },
  getTransactions: (chain, { address, limit, lt }) => {
    const within = chain.transactions(raw(address!)).filter((one) => !lt || one.lt <= BigInt(lt))
    return { ok: true, result: within.slice(0, Number(limit ?? 10)).map(transactionV2) }
  },
}

async function runGetMethod(chain: LocalChain, version: string, input: unknown): Promise<unknown> {
  const key = await chain.publicKey(raw((input as { address: string }).address))
  const value = key === undefined ? undefined : `0x${key.toString(16)}`
  if (version === 'v3') return { exit_code: value ? 0 : -256, stack: value ? [{ type: 'num', value }] : [] }
  return { ok: true, result: { exit_code: value ? 0 : -13, stack: value ? [['num', value]] : [] } }
}

function metadata(chain: LocalChain) {
  const entries = [...chain.jettons.values()].map(({ master, symbol, name, decimals }) => [
    upper(master),
    {
      is_indexed: true,
      token_info: [{ type: 'jetton_masters', valid: true, name, symbol, extra: { decimals: String(decimals) } }],
    },
  ])
  return Object.fromEntries(entries) as Record<string, unknown>
}

const hashOf = (cell: Cell) => cell.hash().toString('base64')

function transactionV3(one: Transaction) {
  const description = one.description
  const aborted = description.type === 'generic' ? description.aborted : false
  return {
    account: `0:${one.address.toString(16).padStart(64, '0')}`.toUpperCase(),
    hash: hashOf(beginCell().store(storeTransaction(one)).endCell()),
    lt: String(one.lt),
    now: one.now,
    total_fees: String(one.totalFees.coins),
    description: { type: 'ord', aborted },
    in_msg: one.inMessage ? messageV3(one.inMessage) : null,
    out_msgs: one.outMessages.values().map(messageV3),
  }
}

function messageV3(message: Message) {
  const { info, body } = message
  const opcode = body.bits.length >= 32 ? body.beginParse().loadUint(32) : undefined
  return {
    hash: hashOf(beginCell().store(storeMessage(message)).endCell()),
    source: info.type === 'external-in' ? null : upper(info.src),
    destination: info.dest ? upper(info.dest as Address) : null,
    value: info.type === 'internal' ? String(info.value.coins) : null,
    opcode: opcode === undefined ? null : `0x${opcode.toString(16).padStart(8, '0')}`,
    bounced: info.type === 'internal' ? info.bounced : null,
    message_content: { hash: hashOf(body), body: body.toBoc().toString('base64'), decoded: null },
  }
}

function transactionV2(one: Transaction) {
  return {
    '@type': 'raw.transaction',
    utime: one.now,
    transaction_id: {
      '@type': 'internal.transactionId',
      lt: String(one.lt),
      hash: hashOf(beginCell().store(storeTransaction(one)).endCell()),
    },
    fee: String(one.totalFees.coins),
    in_msg: one.inMessage ? messageV2(one.inMessage) : null,
    out_msgs: one.outMessages.values().map(messageV2),
  }
}

function messageV2({ info, body }: Message) {
  return {
    '@type': 'raw.message',
    source: info.type === 'external-in' ? '' : (info.src as Address).toString(),
    destination: info.dest ? (info.dest as Address).toString() : '',
    value: info.type === 'internal' ? String(info.value.coins) : '0',
    msg_data: { '@type': 'msg.dataRaw', body: body.toBoc().toString('base64'), init_state: '' },
    message: '',
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
