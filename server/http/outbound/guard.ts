import ipaddr from 'ipaddr.js'
import { isWithin, parseNetworks } from '../address.ts'
import { specialNetworks } from './registry.ts'

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Range = readonly [Address, number]

/** Why an address is refused, in words that end a sentence beginning with it; undefined when it may be reached. */
export type Guard = (ip: string) => string | undefined

const MOST_JUDGED = 10_000

/** What an operator may open as a whole network; everything else that is not public only address by address. */
const openable = parseNetworks(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'])

/** Where clouds keep credentials of the machine. Some lie in networks that look public or merely private. */
const metadata = parseNetworks([
  ...['169.254.169.254', '169.254.170.2', '169.254.170.23', '100.100.100.200', '168.63.129.16', '192.0.0.192'],
  ...['fd00:ec2::/32', 'fd20:ce::254', 'fd00:42::42', 'fe80::a9fe:a9fe'],
])

const globalUnicast: Range = [ipaddr.parse('2000::'), 3]
const translated: Range = [ipaddr.parse('64:ff9b::'), 96]

const registry = specialNetworks
  .map(([network, name, reachable]) => ({ network: parseNetworks([network])[0]!, name, reachable }))
  .sort((a, b) => b.network[1] - a.network[1])

/**
 * Judges addresses before anything connects to them: only public ones, and what the operator of this installation opened. Private networks open by
 * CIDR; loopback, link-local, metadata and reserved addresses only when named as one address, so that a generous network never opens them.
 */
export function createGuard(allow: readonly string[]): Guard {
  const networks = parseNetworks(allow)
  const single = networks.filter(([address, prefix]) => prefix === (address.kind() === 'ipv4' ? 32 : 128))
  return remember((ip) => {
    const fault = faultOf(ip)
    if (!fault || isWithin(ip, single)) return undefined
    if (fault.openable && isWithin(ip, networks)) return undefined
    if (!fault.mayBeNamed) return `${fault.what}, which is never reached`
    const name = `${plain(ip)}/${ip.includes(':') ? 128 : 32}`
    return fault.openable
      ? `${fault.what}; name it or its network in GATEHOUSE_ALLOW_NETWORKS, such as ${name}, to allow it`
      : `${fault.what}; name it in GATEHOUSE_ALLOW_NETWORKS as ${name} to allow it`
  })
}

/** Whether a network in GATEHOUSE_ALLOW_NETWORKS makes no difference: one that is wider than an address, and of which no part is private. */
export function opensNothing(network: string): boolean {
  const [address, prefix] = parseNetworks([network])[0]!
  if (prefix === (address.kind() === 'ipv4' ? 32 : 128)) return false
  return !openable.some(
    ([base, size]) => isWithin(base.toString(), [[address, prefix]]) || isWithin(address.toString(), [[base, size]]),
  )
}

/** The same few addresses are called again and again, and a judgement of one never changes. */
function remember(guard: Guard): Guard {
  let judged = new Map<string, string | undefined>()
  return (ip) => {
    if (judged.has(ip)) return judged.get(ip)
    if (judged.size >= MOST_JUDGED) judged = new Map()
    const fault = guard(ip)
    judged.set(ip, fault)
    return fault
  }
}

type Fault = { what: string; openable: boolean; mayBeNamed: boolean }

function faultOf(ip: string): Fault | undefined {
  if (!ipaddr.isValid(ip) || ip.includes('%')) return { what: 'is not an address', openable: false, mayBeNamed: false }
  const address = ipaddr.parse(ip)
  if (isWithin(ip, metadata)) return closed("is a cloud's metadata service")
  if (isIn(address, translated)) {
    const inner = faultOf(lastFourBytes(address as ipaddr.IPv6))
    return inner && { ...inner, what: `leads to an address that ${inner.what}` }
  }
  const special = registry.find(({ network }) => isIn(address, network))
  if (special?.reachable) return undefined
  if (isWithin(ip, openable) && !isMapped(address)) return { ...closed('is a private address'), openable: true }
  if (special) return closed(`is ${article(special.name)}`)
  if (address.range() === 'multicast') return closed('is a multicast address')
  if (address.kind() === 'ipv6' && !isIn(address, globalUnicast)) return closed('is outside of the public IPv6 space')
  return undefined
}

const closed = (what: string): Fault => ({ what, openable: false, mayBeNamed: true })

/** The registry's names as they read in a sentence. */
function article(name: string): string {
  const known: Record<string, string> = {
    Loopback: 'a loopback address',
    'Loopback Address': 'a loopback address',
    'Link Local': 'a link-local address',
    'Link-Local Unicast': 'a link-local address',
    'Unspecified Address': 'the unspecified address',
    'IPv4-mapped Address': 'an IPv4 address in IPv6 form',
  }
  return known[name] ?? `reserved (${name.replaceAll('"', '')})`
}

function isIn(address: Address, [network, prefix]: Range): boolean {
  return network.kind() === address.kind() && address.match(network, prefix)
}

const isMapped = (address: Address) => address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()

function lastFourBytes(address: ipaddr.IPv6): string {
  return address.toByteArray().slice(12).join('.')
}

const plain = (ip: string) => ipaddr.parse(ip).toString()
