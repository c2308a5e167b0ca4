import { writeFileSync } from 'node:fs'

/** What MaxMind's format has for a text, a number and a map (MaxMind DB file format 2.0, "Data Section"). */
function encode(value: unknown): Buffer {
  if (typeof value === 'string') {
    const text = Buffer.from(value)
    return Buffer.concat([control(2, text.length), text])
  }
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value)
    return Buffer.concat([control(6, 4), bytes])
  }
  const members = Object.entries(value as object)
  return Buffer.concat([
    control(7, members.length),
    ...members.flatMap(([key, member]) => [encode(key), encode(member)]),
  ])
}

const control = (type: number, size: number) => Buffer.from([(type << 5) | size])

type Node = [Node | Buffer | undefined, Node | Buffer | undefined]

/** A database in MaxMind's format over IPv4 networks (`203.0.112.0/24`), each with its record. */
export function writeMmdb(file: string, networks: Record<string, object>, type = 'Test-Country'): string {
  const root: Node = [undefined, undefined]
  for (const [network, record] of Object.entries(networks)) {
    const [address, length] = network.split('/')
    const bits = address!
      .split('.')
      .map((octet) => Number(octet).toString(2).padStart(8, '0'))
      .join('')
      .slice(0, Number(length))
    let node = root
    for (const bit of bits.slice(0, -1)) node = (node[Number(bit)] ??= [undefined, undefined]) as Node
    node[Number(bits.at(-1))] = encode(record)
  }
  const nodes: Node[] = []
  const walk = (node: Node): void => {
    nodes.push(node)
    for (const side of node) if (Array.isArray(side)) walk(side)
  }
  walk(root)
  const data: Buffer[] = []
  let size = 0
  const pointer = (side: Node[0]): number => {
    if (side === undefined) return nodes.length
    if (Array.isArray(side)) return nodes.indexOf(side)
    const at = nodes.length + 16 + size
    data.push(side)
    size += side.length
    return at
  }
  const tree = Buffer.alloc(nodes.length * 6)
  nodes.forEach((node, at) => node.forEach((side, place) => tree.writeUIntBE(pointer(side), at * 6 + place * 3, 3)))
  const metadata = {
    node_count: nodes.length,
    record_size: 24,
    ip_version: 4,
    database_type: type,
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_780_000_000,
  }
  writeFileSync(
    file,
    Buffer.concat([
      ...[tree, Buffer.alloc(16), ...data],
      ...[Buffer.from([0xab, 0xcd, 0xef]), Buffer.from('MaxMind.com'), encode(metadata)],
    ]),
  )
  return file
}
