import { parseAddress } from '#server/ton/address.ts'

/** What an amount is of. `decimals` says where its point goes; a jetton that nobody vouches for may call itself anything. */
export type Asset =
  | { type: 'ton'; symbol: string; decimals: 9 }
  | {
      type: 'jetton'
      master: string
      symbol: string
      name: string
      decimals: number
      image: string | null
      verified: boolean
    }

/** Masters that are known to be what they are called; an app can vouch for more (`ton.jettons`). */
const wellKnown = new Set([
  // USD₮, EQCxE6mUtQJKFnGfaROTKOt1lZbDiiX1kCixRv7Nw2Id_sDs
  '0:b113a994b5024a16719f69139328eb759596c38a25f59028b146fecdc3621dfe',
])

/** toncenter v3's `metadata`: by address, what a jetton's master says of itself. */
export type Metadata = Record<string, { token_info?: unknown } | undefined> | null

/** A jetton as its master describes it. Everything in it was written by whoever made the jetton. */
export function jettonOf(master: string, metadata: Metadata | undefined, vouched: readonly string[]): Asset {
  const entry = metadata?.[master.toUpperCase()] ?? metadata?.[master]
  const told = Array.isArray(entry?.token_info) ? entry.token_info.map(fieldsOf) : []
  const info = told.find(({ type }) => type === undefined || type === 'jetton_masters') ?? {}
  return {
    type: 'jetton',
    master,
    symbol: plain(info['symbol'], 32) || 'jetton',
    name: plain(info['name'], 100),
    decimals: readDecimals(fieldsOf(info['extra'])['decimals'] ?? info['decimals']),
    image: httpsOf(info['image']),
    verified: wellKnown.has(master) || vouched.includes(master),
  }
}

export const tonOf = (symbol: string): Asset => ({ type: 'ton', symbol, decimals: 9 })

const fieldsOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : { type: null }

/** How many digits stand behind the point: 0 to 255 (TEP-64), nine where it is not said or makes no sense. */
function readDecimals(value: unknown): number {
  const decimals = typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : value
  const fits = typeof decimals === 'number' && Number.isInteger(decimals) && decimals >= 0 && decimals <= 255
  return fits ? decimals : 9
}

/** One short line: no control characters, and none that turn the direction of what is written around it. */
function plain(value: unknown, most: number): string {
  if (typeof value !== 'string') return ''
  const line = value.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '').trim()
  // By whole characters: half of one is none.
  return [...line.slice(0, most * 2)].slice(0, most).join('').toWellFormed()
}

function httpsOf(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > 2000 || !URL.canParse(value)) return null
  return new URL(value).protocol === 'https:' ? value : null
}

/** An address of an API's answer in the form we keep; undefined for none, or one that cannot be read. */
export function addressOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined
  try {
    return parseAddress(value)
  } catch {
    // An external or anycast address: nothing that could be a wallet.
    return undefined
  }
}
