import { createSocket } from 'node:dgram'
import type { AddressInfo } from 'node:net'
import ipaddr from 'ipaddr.js'
import { onTestFinished } from 'vitest'

/** What a name server says of a name: its addresses of both kinds; undefined is NXDOMAIN. */
type Zone = (name: string) => string[] | undefined

const types = { A: 1, AAAA: 28 } as const

/** A name server on this machine (RFC 1035 §4), for names that lead wherever a test wants. Its address, and which names it was asked for. */
export async function startNameServer(zone: Zone): Promise<{ address: string; asked: string[] }> {
  const asked: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => {
    const { name, end } = readName(query)
    const type = query.readUInt16BE(end)
    if (type === types.A) asked.push(name)
    const found = zone(name)
    const answers = (found ?? [])
      .map((address) => ipaddr.parse(address).toByteArray())
      .filter((bytes) => bytes.length === (type === types.A ? 4 : 16))
    const head = Buffer.alloc(12)
    query.copy(head, 0, 0, 2)
    head.writeUInt16BE(0x8580 | (found ? 0 : 3), 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt16BE(answers.length, 6)
    const records = answers.map((bytes) => {
      const record = Buffer.alloc(12)
      // A pointer to the question's name; its type; class IN; a time to live of nothing.
      record.writeUInt16BE(0xc00c, 0)
      record.writeUInt16BE(type, 2)
      record.writeUInt16BE(1, 4)
      record.writeUInt16BE(bytes.length, 10)
      return Buffer.concat([record, Buffer.from(bytes)])
    })
    socket.send(Buffer.concat([head, query.subarray(12, end + 4), ...records]), from.port, from.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  onTestFinished(() => void socket.close())
  return { address: `127.0.0.1:${(socket.address() as AddressInfo).port}`, asked }
}

function readName(query: Buffer): { name: string; end: number } {
  const labels: string[] = []
  let at = 12
  while (query[at]! > 0) {
    labels.push(query.toString('ascii', at + 1, at + 1 + query[at]!))
    at += query[at]! + 1
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 }
}
