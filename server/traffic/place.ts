import ipaddr from 'ipaddr.js'
import { limitKey } from '#server/http/address.ts'

/** Where a try comes from: what one subscriber has (an IPv4 address, an IPv6 /64), and the network around it (/24, /48). */
export type Place = { ip: string; address: string; network: string }

const MOST_KNOWN = 20_000
let known = new Map<string, Place>()

export function placeOf(ip: string): Place {
  let place = known.get(ip)
  if (!place) {
    if (known.size >= MOST_KNOWN) known = new Map()
    known.set(ip, (place = { ip, address: limitKey(ip), network: networkOf(ip) }))
  }
  return place
}

function networkOf(ip: string): string {
  if (!ipaddr.isValid(ip)) return ip
  const address = ipaddr.process(ip)
  if (address instanceof ipaddr.IPv4) return `${address.octets.slice(0, 3).join('.')}.0/24`
  const parts = address.parts.slice(0, 3).map((part) => part.toString(16))
  return `${parts.join(':')}::/48`
}
