import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import type { IncomingMessage } from 'node:http'

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number]

/** Networks in CIDR form, ready for comparing; a lone address is a network of one. */
export function parseNetworks(networks: readonly string[]): Range[] {
  return networks.map((text) => {
    const address = ipaddr.parse(text.split('/')[0]!)
    return [address, text.includes('/') ? Number(text.split('/')[1]) : address.kind() === 'ipv4' ? 32 : 128]
  })
}

export function isWithin(ip: string, networks: Range[]): boolean {
  if (networks.length === 0 || !ipaddr.isValid(ip)) return false
  const address = ipaddr.process(ip)
  return networks.some(([network, prefix]) => network.kind() === address.kind() && address.match(network, prefix))
}

/**
 * The caller's address: the socket's, unless the socket belongs to a trusted proxy. Then X-Forwarded-For is walked from the right, past further
 * trusted proxies; what stands left of the first untrusted hop is anybody's invention and ignored. IPv4 in IPv6 form becomes IPv4.
 */
export function clientAddress(request: IncomingMessage, trusted: Range[]): string {
  const socket = socketAddress(request)
  if (!isWithin(socket, trusted)) return socket
  const header = request.headers['x-forwarded-for']
  const hops = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',').map((hop) => hop.trim())
  let client = socket
  for (const hop of hops.reverse()) {
    if (isIP(hop) === 0) return client
    client = plainAddress(hop)
    if (!isWithin(client, trusted)) return client
  }
  return client
}

const socketAddress = (request: IncomingMessage) => plainAddress(request.socket.remoteAddress ?? '')

/** Whether a trusted proxy stands at the other end of the connection, whose other headers may then be believed as well. */
export const isFromProxy = (request: IncomingMessage, trusted: Range[]): boolean =>
  isWithin(socketAddress(request), trusted)

/** What rate limits count by: the address, or the /64 that an IPv6 subscriber has all of. IPv4 in IPv6 form counts as IPv4. */
export function limitKey(ip: string): string {
  if (!ip.includes(':') || !ipaddr.isValid(ip)) return ip
  const address = ipaddr.process(ip)
  if (address instanceof ipaddr.IPv4) return address.toString()
  const network = address.parts.slice(0, 4).map((part) => part.toString(16))
  return `${network.join(':')}::/64`
}

/** An address in the spelling we compare: IPv4 in IPv6 form becomes IPv4. */
export function plainAddress(ip: string): string {
  if (!ip.includes(':')) return ip
  return ipaddr.isValid(ip) ? ipaddr.process(ip).toString() : ip
}
