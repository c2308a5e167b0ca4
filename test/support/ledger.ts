import type { ServerResponse } from 'node:http'

const giver = `0:${'12'.repeat(32)}`
const usdt = '0:b113a994b5024a16719f69139328eb759596c38a25f59028b146fecdc3621dfe'

type Entry = { n: number; lt: number; jetton: boolean }

/**
 * An account with as many transactions as a test wants, as toncenter tells of it: newest first, by logical time, no more at once than the real one
 * gives. The nth brings n nanotons, or n of a jetton where the API tells of jettons.
 */
export type Ledger = {
  add(count: number, options?: { jettonEvery?: number; apart?: number }): void
  size(): number
  answer(response: ServerResponse, path: string): void
}

export function createLedger(owner: string, first: number): Ledger {
  const entries: Entry[] = []
  let lt = first
  const hashOf = ({ n }: Entry) => Buffer.from(n.toString(16).padStart(64, '0'), 'hex').toString('base64')

  function page(query: URLSearchParams, jettons: boolean | undefined, most: number): Entry[] {
    const end = Number(query.get('end_lt') ?? query.get('lt') ?? Infinity)
    const limit = Math.min(Number(query.get('limit') ?? 10), most)
    const found: Entry[] = []
    for (let at = entries.length - 1; at >= 0 && found.length < limit; at--) {
      const entry = entries[at]!
      if (entry.lt <= end && (jettons === undefined || entry.jetton === jettons)) found.push(entry)
    }
    return found
  }

  const told: Record<string, (query: URLSearchParams) => unknown> = {
    'v3/transactions': (query) => ({
      transactions: page(query, false, 1000).map((entry) => ({
        hash: hashOf(entry),
        lt: String(entry.lt),
        now: 1_780_000_000,
        total_fees: '1',
        in_msg: { source: giver, destination: owner.toUpperCase(), value: String(entry.n) },
      })),
    }),
    'v3/jetton/transfers': (query) => ({
      jetton_transfers: page(query, true, 1000).map((entry) => ({
        source: giver,
        destination: owner.toUpperCase(),
        amount: String(entry.n),
        jetton_master: usdt.toUpperCase(),
        transaction_hash: hashOf(entry),
        transaction_lt: String(entry.lt),
        transaction_now: 1_780_000_000,
        transaction_aborted: false,
      })),
      metadata: {
        [usdt.toUpperCase()]: { token_info: [{ type: 'jetton_masters', symbol: 'USD₮', extra: { decimals: '9' } }] },
      },
    }),
    'v2/getTransactions': (query) => ({
      ok: true,
      result: page(query, undefined, 100).map((entry) => ({
        utime: 1_780_000_000,
        transaction_id: { lt: String(entry.lt), hash: hashOf(entry) },
        fee: '1',
        in_msg: { source: giver, destination: owner, value: String(entry.n), msg_data: { '@type': 'msg.dataRaw' } },
      })),
    }),
  }

  return {
    add(count, { jettonEvery = 0, apart = 1 } = {}) {
      for (let k = 0; k < count; k++) {
        const n = entries.length + 1
        entries.push({ n, lt: (lt += apart), jetton: jettonEvery > 0 && n % jettonEvery === 0 })
      }
    },
    size: () => entries.length,
    answer(response, path) {
      const url = new URL(path, 'http://localhost')
      const tell = told[url.pathname.slice('/api/'.length)]
      response
        .writeHead(tell ? 200 : 404, { 'content-type': 'application/json' })
        .end(JSON.stringify(tell?.(url.searchParams) ?? { code: 404, error: 'not found' }))
    },
  }
}
