import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { clientAddress, limitKey, parseNetworks } from '../../server/http/address.ts'

const from = (socket: string, forwarded?: string | string[]) =>
  ({ socket: { remoteAddress: socket }, headers: { 'x-forwarded-for': forwarded } }) as unknown as IncomingMessage

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['::FFFF:cb00:7107', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002:ffff::', '2001:db8:1:2::/64'],
  ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['', ''],
  ['rubbish', 'rubbish'],
])('%s counts as %s', (address, key) => {
  expect(limitKey(address)).toBe(key)
})

test.each([
  ['1.2.3.4', '9.9.9.9', [], '1.2.3.4'],
  ['::ffff:1.2.3.4', undefined, [], '1.2.3.4'],
  ['1.2.3.4', '9.9.9.9', ['10.0.0.0/8'], '1.2.3.4'],
  ['10.0.0.1', '9.9.9.9', ['10.0.0.0/8'], '9.9.9.9'],
  ['::ffff:10.0.0.1', '9.9.9.9', ['10.0.0.0/8'], '9.9.9.9'],
  ['10.0.0.1', '6.6.6.6, 9.9.9.9', ['10.0.0.0/8'], '9.9.9.9'],
  ['10.0.0.1', '6.6.6.6, 9.9.9.9, 10.0.0.2', ['10.0.0.0/8'], '9.9.9.9'],
  ['10.0.0.1', ['6.6.6.6', '9.9.9.9'], ['10.0.0.0/8'], '9.9.9.9'],
  ['10.0.0.1', '9.9.9.9, rubbish', ['10.0.0.0/8'], '10.0.0.1'],
  ['10.0.0.1', '::ffff:9.9.9.9', ['10.0.0.0/8'], '9.9.9.9'],
  ['10.0.0.1', undefined, ['10.0.0.0/8'], '10.0.0.1'],
  ['fd00::1', '2001:db8::1', ['fd00::/8'], '2001:db8::1'],
  ['10.0.0.1', '10.0.0.2', ['10.0.0.0/8'], '10.0.0.2'],
])('a call from %s forwarded for %s is from the right one', (socket, forwarded, trusted, expected) => {
  expect(clientAddress(from(socket, forwarded), parseNetworks(trusted))).toBe(expected)
})
