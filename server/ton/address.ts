import { Address } from '@ton/core'
import { AppError } from '../error.ts'

/**
 * Reads an address, raw (`0:hex`) or user-friendly (base64 with flags and checksum; docs.ton.org "Smart contract
 * addresses"), into the one form we store and compare: raw, lower case.
 */
export function parseAddress(text: string): string {
  if (/^(?:0|-1):[0-9a-fA-F]{64}$/.test(text)) return text.toLowerCase()
  if (/^[\w-]{48}$|^[A-Za-z0-9+/]{48}$/.test(text)) return parseFriendly(text)
  throw unreadable('The address is neither raw (0: or -1: and 64 hexadecimal digits) nor user-friendly')
}

/** TON's global ids: mainnet and testnet. */
export type Network = '-239' | '-3'

/** The network of a wallet: its own where it is bound to one (V5) that the app accepts, else the app's. */
export function networkFor(chains: readonly Network[], bound: unknown): Network {
  return chains.find((chain) => chain === bound) ?? (chains.length === 0 || chains.includes('-239') ? '-239' : '-3')
}

type Flags = { bounceable: boolean; testOnly: boolean }

/** Writes a raw address for people: url-safe base64 with the flags of its use. */
export function formatAddress(raw: string, { bounceable, testOnly }: Flags): string {
  const { workchain, hash } = splitAddress(raw)
  return new Address(workchain, hash).toString({ bounceable, testOnly, urlSafe: true })
}

/** The two parts of a raw address. */
export function splitAddress(raw: string): { workchain: number; hash: Buffer } {
  const colon = raw.indexOf(':')
  return { workchain: Number(raw.slice(0, colon)), hash: Buffer.from(raw.slice(colon + 1), 'hex') }
}

function parseFriendly(text: string): string {
  let address: Address
  try {
    address = Address.parse(text)
  } catch (cause) {
    throw unreadable("The address's checksum or flags do not hold: was it typed or cut?", cause)
  }
  // @ton/core reads the workchain's byte without a sign; these two are the ones that exist.
  if (address.workChain !== 0 && address.workChain !== -1) {
    throw unreadable("The address's workchain is neither 0 nor -1")
  }
  return address.toRawString()
}

function unreadable(message: string, cause?: unknown): AppError {
  return new AppError('invalid_request', message, { cause, errors: [{ path: 'address', message }] })
}
