import ipaddr from 'ipaddr.js'
import { expect, test } from 'vitest'
import { networkText } from '../../server/http/network.ts'

const holds = (network: string, ip: string) => {
  const { whole, beginnings } = networkText(network)!
  return whole.includes(ip) || beginnings.some((beginning) => ip.startsWith(beginning))
}

const GROUPS = ['0', '0', '0', '1', 'db8', 'ffff', '10']
/** Numbers that look picked, and are the same in every run. */
function* picks(seed: number) {
  for (let state = seed; ;) yield (state = (state * 1103515245 + 12345) % 2 ** 31) >> 8
}

test('what is found by text are the addresses of the network, and no others', () => {
  const next = picks(1)
  const pick = <T>(from: readonly T[]): T => from[next.next().value! % from.length]!
  let inside = 0
  for (let round = 0; round < 20_000; round++) {
    const six = round % 2 === 0
    const length = six ? pick([16, 32, 48, 64, 80, 96, 112]) : pick([1, 7, 8, 12, 16, 20, 23, 24, 25, 30, 31, 32])
    const part = () => (six ? pick(GROUPS) : String(pick([0, 1, 2, 3, 10, 127, 128, 203, 255])))
    const make = (parts: number) => Array.from({ length: parts }, part).join(six ? ':' : '.')
    const base = make(six ? 8 : 4)
    // Every other address shares what the network begins with.
    const shared = base.split(six ? ':' : '.').slice(0, Math.floor(length / (six ? 16 : 8)))
    const rest = make((six ? 8 : 4) - shared.length)
    const address = round % 4 < 2 ? [...shared, ...(rest ? [rest] : [])].join(six ? ':' : '.') : make(six ? 8 : 4)
    const ip = ipaddr.parse(address).toString()
    const network = `${base}/${length}`
    if (!networkText(network)) {
      expect(
        six &&
          /(^|:)0:0:0$/.test(
            base
              .split(':')
              .slice(0, length / 16)
              .join(':'),
          ),
        network,
      ).toBe(true)
      continue
    }
    const expected = ipaddr.parse(ip).match(ipaddr.parseCIDR(network) as [ipaddr.IPv6, number])
    expect([network, ip, holds(network, ip)]).toEqual([network, ip, expected])
    if (expected) inside++
  }
  expect(inside).toBeGreaterThan(5_000)
})

test('the beginning of an address is a network too', () => {
  expect(networkText('203.0.113.')).toEqual(networkText('203.0.113.0/24'))
  expect(networkText('10.')).toEqual(networkText('10.0.0.0/8'))
})

test.each([
  ...[
    '',
    '203.0.113.1',
    '203.0.113',
    '10./8',
    '300.1.1.0/24',
    '010.0.0.0/8',
    '0x7f000001/8',
    '10.0.0.0/0',
    '10.0.0.0/33',
  ],
  ...['10.0.0.0/x', '10.0.0.0/8/8', '::/0', '2001:db8::/33', '2001:db8::/128', '::/48', "10.0.0.0/8' or '1"],
])('%s is none', (text) => {
  expect(networkText(text)).toBeUndefined()
})
