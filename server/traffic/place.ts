import ipaddr from 'ipaddr.js'
import { limitKey } from '#server/http/address.ts'
import type { TryRow } from './store.ts'

/** Under what tries from one place in one app are counted and answered. */
export type Keys = {
  address: string
  network: string
  app: string
  /** Where the last one was written down: the next is mostly of the same hour and device. */
  noted: { batch: symbol; row: TryRow } | undefined
}

/** Where a try comes from: what one subscriber has (an IPv4 address, an IPv6 /64), and the network around it (/24, /48). */
export type Place = { ip: string; address: string; network: string; keys: Map<number, Keys> }

const MOST_KNOWN = 20_000
let known = new Map<string, Place>()

export function placeOf(ip: string): Place {
  let place = known.get(ip)
  if (!place) {
    if (known.size >= MOST_KNOWN) known = new Map()
    known.set(ip, (place = { ip, address: limitKey(ip), network: networkOf(ip), keys: new Map() }))
  }
  return place
}

/** Made once for each app: whoever counts asks for them at every try. */
export function keysOf(appId: number, place: Place): Keys {
  let keys = place.keys.get(appId)
  if (!keys) {
    const { address, network } = place
    keys = { address: `${appId} ${address}`, network: `${appId} ${network}`, app: `${appId}`, noted: undefined }
    place.keys.set(appId, keys)
  }
  return keys
}

function networkOf(ip: string): string {
  if (!ipaddr.isValid(ip)) return ip
  const address = ipaddr.process(ip)
  if (address instanceof ipaddr.IPv4) return `${address.octets.slice(0, 3).join('.')}.0/24`
  const parts = address.parts.slice(0, 3).map((part) => part.toString(16))
  return `${parts.join(':')}::/48`
}
