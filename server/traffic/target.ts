import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { AppError, type FieldError } from '#server/error.ts'
import type { BlockRow } from './store.ts'

/** Whom a block or an allowance is for, as it was asked for. */
export type Target = {
  effect: BlockRow['effect']
  kind: BlockRow['kind']
  /** An address or a network; left out for a user or an app. */
  value?: string | undefined
  userId?: number | undefined
  appId?: number | undefined
}

/**
 * The address or network of a target in the one spelling that is compared: bits beyond a prefix cleared, IPv4 in IPv6 form as IPv4. Null for a user or an app.
 * @throws AppError invalid_request, with what is missing and with what would be ignored
 */
export function readTarget({ effect, kind, value, userId, appId }: Target): string | null {
  const errors: FieldError[] = []
  const fault = (path: string, message: string) => void errors.push({ path, message })
  const place = kind === 'address' || kind === 'network'
  if (!place && value !== undefined) fault('value', 'is for an address or a network')
  if (kind !== 'user' && userId !== undefined) fault('userId', 'is for a user')
  if (kind === 'user' && userId === undefined) fault('userId', 'names the user')
  if (kind === 'user' && effect === 'allow') fault('effect', 'cannot be for a user: allow the address they come from')
  if (kind === 'app' && appId === undefined) fault('appId', 'names the app')
  const read = place ? (kind === 'address' ? readAddress : readNetwork)(value ?? '') : null
  if (read !== null && 'fault' in read) fault('value', read.fault)
  if (errors.length > 0) throw new AppError('invalid_request', 'The input does not fit; see errors', { errors })
  return (read as { text: string } | null)?.text ?? null
}

type Read = { text: string } | { fault: string }

function readAddress(value: string): Read {
  // One of a link (fe80::1%eth0) is nobody's who comes from elsewhere.
  if (isIP(value) === 0 || value.includes('%')) return { fault: 'must be an address such as 203.0.113.7' }
  return { text: ipaddr.process(value).toString() }
}

/** Strictly: what other readings take for octal or fill with zeros would be another network than the one that was meant. */
export function readNetwork(value: string): Read {
  const [text, digits, ...more] = value.split('/')
  const version = isIP(text ?? '')
  const most = version === 4 ? 32 : 128
  if (version === 0 || more.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(digits ?? '') || Number(digits) > most)
    return { fault: 'must be a CIDR network such as 203.0.113.0/24' }
  if (text!.includes('%')) return { fault: 'must not be of one link' }
  let [address, prefix] = [ipaddr.parse(text!), Number(digits)]
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress())
    [address, prefix] = [address.toIPv4Address(), prefix - 96]
  const whole = address instanceof ipaddr.IPv4 ? 8 : 16
  if (prefix < whole) return { fault: `must not be wider than /${whole}: that is a good part of the Internet` }
  const cidr = `${address.toString()}/${prefix}`
  const network =
    address instanceof ipaddr.IPv4 ? ipaddr.IPv4.networkAddressFromCIDR(cidr) : ipaddr.IPv6.networkAddressFromCIDR(cidr)
  return { text: `${network.toString()}/${prefix}` }
}
