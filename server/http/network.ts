import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** How the addresses of a network are written: whole, or by what they begin with. */
export type NetworkText = { whole: string[]; beginnings: string[] }

/** An address or a network, whichever a text is; undefined where it is neither. */
export function addressText(text: string): NetworkText | undefined {
  const address = text.trim().toLowerCase()
  if (isIP(address)) return { whole: [ipaddr.process(address).toString()], beginnings: [] }
  return networkText(address)
}

/**
 * The addresses of a network as text, as sessions keep them (RFC 5952), so that an index of that text finds them: `203.0.113.0/24`, `2001:db8:1::/48`, or the
 * beginning of an IPv4 address (`203.0.113.`). Undefined for what is none, or what no few beginnings tell from its neighbours: an IPv6 network that does not
 * end between two groups, or ends in three groups of zeros.
 */
export function networkText(text: string): NetworkText | undefined {
  const typed =
    /^(\d{1,3}\.){1,3}$/.exec(text) &&
    `${text}${'0.'.repeat(4 - text.split('.').length)}0/${(text.split('.').length - 1) * 8}`
  const [address, length, ...more] = (typed || text).split('/')
  if (!address || !length || more.length > 0 || !/^\d{1,3}$/.test(length) || !ipaddr.isValid(address)) return undefined
  if (!address.includes(':') && !ipaddr.IPv4.isValidFourPartDecimal(address)) return undefined
  const parsed = ipaddr.parse(address)
  const prefix = Number(length)
  if (parsed instanceof ipaddr.IPv4) return prefix >= 1 && prefix <= 32 ? ofIPv4(parsed.octets, prefix) : undefined
  const groups = (parsed as ipaddr.IPv6).parts
  return prefix >= 16 && prefix <= 112 && prefix % 16 === 0 ? ofIPv6(groups.slice(0, prefix / 16)) : undefined
}

/** Whole octets are told by what an address begins with; of the one that is cut, each value it may have. */
function ofIPv4(octets: number[], prefix: number): NetworkText {
  const kept = octets.slice(0, Math.floor(prefix / 8))
  const cut = prefix % 8
  if (cut === 0 && kept.length < 4) return { whole: [], beginnings: [`${kept.join('.')}.`] }
  if (cut === 0) return { whole: [kept.join('.')], beginnings: [] }
  const size = 2 ** (8 - cut)
  const first = Math.floor(octets[kept.length]! / size) * size
  const each = Array.from({ length: size }, (_, at) => [...kept, first + at].join('.'))
  return kept.length === 3 ? { whole: each, beginnings: [] } : { whole: [], beginnings: each.map((text) => `${text}.`) }
}

/** Of an address the longest run of zeros is left out, wherever it lies: within the network's own groups, or at their end, or beyond. */
function ofIPv6(groups: number[]): NetworkText | undefined {
  const words = groups.map((group) => group.toString(16))
  const beginnings = [`${words.join(':')}:`]
  for (let from = 0; from < groups.length; from++) {
    if (groups[from] !== 0 || groups[from - 1] === 0) continue
    let to = from
    while (groups[to] === 0) to++
    const [left, right] = [words.slice(0, from).join(':'), words.slice(to).join(':')]
    if (to < groups.length) {
      if (to - from > 1) beginnings.push(`${left}::${right}:`)
    } else if (to - from <= 2) beginnings.push(`${left}::`)
    else return undefined
  }
  return { whole: [], beginnings }
}
