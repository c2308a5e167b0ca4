import { createServer as createTcp, type AddressInfo, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Lookup } from '../../server/http/outbound/lookup.ts'
import { createGuard } from '../../server/http/outbound/guard.ts'
import {
  createOutbound,
  type Outbound,
  type OutboundAnswer,
  type OutboundFault,
} from '../../server/http/outbound/outbound.ts'
import { specialNetworks } from '../../server/http/outbound/registry.ts'
import { listen } from '../support/listen.ts'
import { readRegistries } from '../support/registry.ts'

const limits = { timeoutMs: 2_000, maxBytes: 65_536 }

function newOutbound(allow: string[] = [], lookup?: Lookup): Outbound {
  const outbound = createOutbound(allow, lookup)
  onTestFinished(() => outbound.close())
  return outbound
}

function answered(outcome: OutboundAnswer | OutboundFault): OutboundAnswer {
  if ('fault' in outcome) throw new Error(`${outcome.fault}: ${outcome.reason}`)
  return outcome
}

const faultOf = (outcome: OutboundAnswer | OutboundFault) => ('fault' in outcome ? outcome.fault : outcome.status)

/** A server that must not be reached; how often it was. */
async function trap(): Promise<{ url: string; port: number; reached: () => number }> {
  let reached = 0
  const server = createTcp((socket) => {
    reached++
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port, reached: () => reached }
}

/** A TCP server that does as it is told with each connection. */
async function tcp(serve: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createTcp((socket) => {
    sockets.add(socket.on('error', () => {}))
    serve(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('the table of special addresses', () => {
  test("is IANA's, row for row", () => {
    const expected = readRegistries()
    expect(expected.length).toBe(51)
    expect(specialNetworks.map(([network, , reachable]) => [network, reachable])).toEqual(expected)
  })
})

describe('an address', () => {
  const guard = createGuard([])

  test.each([
    ...['0.0.0.0', '0.0.0.1', '0.255.255.255', '10.0.0.0', '10.255.255.255', '100.64.0.0', '100.127.255.255'],
    ...['127.0.0.1', '127.1.2.3', '127.255.255.255', '169.254.0.1', '169.254.169.254', '169.254.170.2'],
    ...['172.16.0.0', '172.31.255.255', '192.0.0.0', '192.0.0.8', '192.0.0.170', '192.0.0.171', '192.0.0.192'],
    ...['192.0.2.1', '192.88.99.1', '192.88.99.2', '192.168.0.0', '192.168.255.255', '198.18.0.0', '198.19.255.255'],
    ...['198.51.100.7', '203.0.113.9', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.254'],
    ...['255.255.255.255', '100.100.100.200', '168.63.129.16'],
    ...['::', '::1', '::2', '::127.0.0.1', '::7f00:1', '::8.8.8.8', '::ffff:127.0.0.1', '::ffff:8.8.8.8'],
    ...['::ffff:0:127.0.0.1', '64:ff9b::127.0.0.1', '64:ff9b::10.0.0.1', '64:ff9b::169.254.169.254', '64:ff9b:1::1'],
    ...['100::1', '100:0:0:1::1', '2001::1', '2001:0:7f00:1::', '2001:2::1', '2001:10::1', '2001:db8::1', '2001:1::4'],
    ...['2002::1', '2002:7f00:1::', '2002:808:808::', '3fff::1', '3fff:fff::1', '5f00::1', 'fc00::1', 'fd00:ec2::254'],
    ...['fd20:ce::254', 'fe80::1', 'fe80::1%eth0', 'febf::1', 'fec0::1', 'ff02::1', 'ff0e::1', '4000::1', '1000::1'],
    ...['not an address', ''],
  ])('%s is not public', (ip) => {
    expect(guard(ip)).toEqual(expect.any(String))
  })

  test.each([
    ...['1.1.1.1', '8.8.8.8', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255'],
    ...['128.0.0.0', '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '192.0.0.9', '192.0.0.10'],
    ...[
      '192.0.1.0',
      '192.31.196.1',
      '192.167.255.255',
      '192.169.0.0',
      '198.17.255.255',
      '198.20.0.0',
      '223.255.255.255',
    ],
    ...['2000::1', '2606:4700::1111', '2a00:1450:4001::1', '2001:200::1', '2001:4860:4860::8888', '2001:20::1'],
    ...['2001:30::1', '2001:3::1', '2001:4:112::1', '2001:1::1', '2620:4f:8000::1', '3ffe::1', '64:ff9b::8.8.8.8'],
  ])('%s is public', (ip) => {
    expect(guard(ip)).toBeUndefined()
  })

  test('of a private network opens with the network, and only there', () => {
    const opened = createGuard(['10.20.0.0/16', 'fd12:3456::/32'])
    for (const ip of ['10.20.0.1', '10.20.255.255', 'fd12:3456::1']) expect(opened(ip)).toBeUndefined()
    for (const ip of ['10.21.0.1', '192.168.1.1', 'fd12:3457::1', '127.0.0.1']) expect(opened(ip)).toBeDefined()
  })

  test('of this machine, of a cloud and of nobody opens only when it is named itself', () => {
    const wide = createGuard(['0.0.0.0/0', '::/0', '127.0.0.0/8', '169.254.0.0/16', '100.64.0.0/10', 'fd00::/8'])
    for (const ip of [
      '127.0.0.1',
      '169.254.169.254',
      '100.100.100.200',
      '::1',
      'fd00:ec2::254',
      '0.0.0.0',
      '224.0.0.1',
    ])
      expect(wide(ip)).toBeDefined()
    expect(wide('10.0.0.1')).toBeUndefined()
    const named = createGuard(['127.0.0.1/32', '169.254.169.254', '::1/128'])
    for (const ip of ['127.0.0.1', '169.254.169.254', '::1']) expect(named(ip)).toBeUndefined()
    for (const ip of ['127.0.0.2', '169.254.169.253', '::2']) expect(named(ip)).toBeDefined()
  })

  test('is refused in words that say what to do', () => {
    expect(guard('127.0.0.1')).toBe(
      'is a loopback address; name it in GATEHOUSE_ALLOW_NETWORKS as 127.0.0.1/32 to allow it',
    )
    expect(guard('10.1.2.3')).toBe(
      'is a private address; name it or its network in GATEHOUSE_ALLOW_NETWORKS, such as 10.1.2.3/32, to allow it',
    )
    expect(guard('64:ff9b::a9fe:a9fe')).toMatch(/leads to an address that is a cloud's metadata service/)
    expect(guard('fe80::1')).toMatch(/is a link-local address.*fe80::1\/128/)
  })
})

describe('a URL that leads inside', () => {
  test('is refused in every spelling, and nothing is connected to', async () => {
    const { port, reached } = await trap()
    const outbound = newOutbound()
    const hosts = [
      ...['127.0.0.1', '127.1', '0x7f.1', '0x7f000001', '2130706433', '017700000001', '0177.0.0.1', '127.0.0.1.'],
      ...[
        '0',
        '0.0.0.0',
        '[::1]',
        '[::]',
        '[::ffff:127.0.0.1]',
        '[::ffff:7f00:1]',
        '[::127.0.0.1]',
        '[0:0:0:0:0:0:0:1]',
      ],
      ...['[64:ff9b::127.0.0.1]', '[2002:7f00:1::]', '①②⑦.⓪.⓪.①', '１２７.０.０.１', '127。0。0。1', '%31%32%37.0.0.1'],
      ...['localhost', 'LOCALHOST', 'localhost.'],
    ]
    for (const host of hosts) {
      const outcome = await outbound.request({ url: `http://${host}:${port}/`, ...limits })
      expect([host, faultOf(outcome)]).toEqual([host, expect.stringMatching(/^(address_refused|name_not_found)$/)])
    }
    expect(reached()).toBe(0)
  })

  test('says why, and what would allow it', async () => {
    const { url, port } = await trap()
    const outcome = await newOutbound().request({ url, ...limits })
    expect(outcome).toMatchObject({
      fault: 'address_refused',
      reason: '127.0.0.1 is a loopback address; name it in GATEHOUSE_ALLOW_NETWORKS as 127.0.0.1/32 to allow it',
    })
    const named = newOutbound([], async () => [{ address: '127.0.0.1', family: 4 }])
    expect(await named.request({ url: `http://users.example:${port}`, ...limits })).toMatchObject({
      reason: expect.stringMatching(/^users\.example leads to 127\.0\.0\.1, which is a loopback address; /),
    })
  })

  test.each([
    'file:///etc/passwd',
    'ftp://example.com/',
    'gopher://example.com/',
    'data:,x',
    'javascript:1',
    'nothing',
    '',
  ])('but not by HTTP is refused: %s', async (url) => {
    expect(faultOf(await newOutbound().request({ url, ...limits }))).toBe('url_invalid')
  })

  test('with a user name, or the port of another service, is refused', async () => {
    for (const url of ['http://a@8.8.8.8/', 'http://a:b@8.8.8.8/', 'http://8.8.8.8:25/', 'https://8.8.8.8:22/'])
      expect(faultOf(await newOutbound().request({ url, ...limits }))).toBe('url_invalid')
  })

  test('is judged without calling it', () => {
    const outbound = newOutbound()
    expect(outbound.judge('http://127.0.0.1:8080/')).toMatch(/loopback/)
    expect(outbound.judge('http://[fe80::1]/')).toMatch(/link-local/)
    expect(outbound.judge('https://example.com/tokeninfo')).toBeUndefined()
  })

  test('is reached when the operator opened it', async () => {
    const { url } = await trap()
    expect(answered(await newOutbound(['127.0.0.1/32']).request({ url, ...limits })).body.toString()).toBe('secret')
  })

  test('is reached when it stands in the settings of this installation, but by nobody else afterwards', async () => {
    const { url, reached } = await trap()
    const outbound = newOutbound()
    expect(answered(await outbound.request({ url, ...limits, configured: true })).status).toBe(200)
    expect(faultOf(await outbound.request({ url, ...limits }))).toBe('address_refused')
    expect(reached()).toBe(1)
  })
})

describe('a name', () => {
  test('that leads to a public and an inner address is refused as a whole', async () => {
    const { port, reached } = await trap()
    for (const inner of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '169.254.169.254']) {
      const lookup: Lookup = async () => [
        { address: '8.8.8.8', family: 4 },
        { address: inner, family: inner.includes(':') ? 6 : 4 },
      ]
      const outbound = newOutbound([], lookup)
      expect(faultOf(await outbound.request({ url: `http://two.example:${port}/`, ...limits }))).toBe('address_refused')
    }
    expect(reached()).toBe(0)
  })

  test('that changes between two questions is connected to as it was judged', async () => {
    const outside = await tcp((socket) =>
      socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok'),
    )
    const { reached } = await trap()
    const port = new URL(outside).port
    const answers = ['127.0.0.1', '127.0.0.2']
    let asked = 0
    const outbound = newOutbound(['127.0.0.1/32'], async () => [{ address: answers[asked++]!, family: 4 }])
    const url = `http://rebinding.example:${port}/`
    const first = answered(await outbound.request({ url, ...limits }))
    expect([first.body.toString(), first.remoteAddress, asked]).toEqual(['ok', '127.0.0.1', 1])
    expect(await outbound.request({ url, ...limits })).toMatchObject({
      fault: 'address_refused',
      reason: expect.stringContaining('127.0.0.2'),
    })
    expect([asked, reached()]).toEqual([2, 0])
  })

  test('that is nowhere, and a name server that fails, are told apart', async () => {
    const failing =
      (code: string): Lookup =>
      () =>
        Promise.reject(Object.assign(new Error(code), { code }))
    const url = 'https://users.example/tokeninfo'
    expect(await newOutbound([], failing('ENOTFOUND')).request({ url, ...limits })).toMatchObject({
      fault: 'name_not_found',
      reason: 'There is no host named users.example',
    })
    expect(faultOf(await newOutbound([], failing('EAI_AGAIN')).request({ url, ...limits }))).toBe('name_failed')
  })

  test('whose name server never answers ends on time', async () => {
    const outbound = newOutbound([], () => new Promise(() => {}))
    const outcome = await outbound.request({ url: 'https://silent.example/', timeoutMs: 100, maxBytes: 10 })
    expect(faultOf(outcome)).toBe('timed_out')
    expect(outcome.timings.total).toBeLessThan(1_000)
  })
})

describe('an answer', () => {
  const allowed = () => newOutbound(['127.0.0.1/32'])

  test('comes with status, headers, bytes and timings', async () => {
    const url = await listen((request, response) => {
      response.setHeader('x-seen', `${request.method} ${request.url} ${String(request.headers['x-own'])}`)
      request.pipe(response.writeHead(201))
    })
    const body = Buffer.from([0, 255, 128, 10])
    const outbound = allowed()
    const ask = () =>
      outbound.request({ url: `${url}/a?b=c`, method: 'POST', headers: { 'x-own': 'yes' }, body, ...limits })
    const answer = answered(await ask())
    expect(answer).toMatchObject({ status: 201, body, truncated: false, remoteAddress: '127.0.0.1' })
    expect(answer.headers['x-seen']).toBe('POST /a?b=c yes')
    expect(answer.timings).toEqual({
      dns: null,
      connect: expect.any(Number),
      tls: null,
      firstByte: expect.any(Number),
      total: expect.any(Number),
    })
    expect(answer.timings.connect).toBeLessThanOrEqual(answer.timings.firstByte!)
    // The connection is free again a moment after its answer, so the second call may open another; the third never does.
    await ask()
    const third = answered(await ask())
    expect(third.timings).toMatchObject({ dns: null, connect: null, tls: null })
  })

  test('that redirects is handed over, never followed', async () => {
    const { url: inner, reached } = await trap()
    const url = await listen((_request, response) => response.writeHead(302, { location: inner }).end())
    for (const status of [301, 302, 303, 307, 308]) {
      const redirecting = await listen((_request, response) => response.writeHead(status, { location: inner }).end())
      expect(answered(await allowed().request({ url: redirecting, ...limits })).status).toBe(status)
    }
    expect(answered(await allowed().request({ url, ...limits })).headers.location).toBe(inner)
    expect(reached()).toBe(0)
  })

  test('that is compressed is not unpacked', async () => {
    const url = await listen((request, response) =>
      response.setHeader('content-encoding', 'gzip').end(String(request.headers['accept-encoding'])),
    )
    expect(answered(await allowed().request({ url, ...limits })).body.toString()).toBe('identity')
  })

  test('larger than its limit is refused, announced or not; or cut where that is asked for', async () => {
    const announced = await listen((_request, response) =>
      response.setHeader('content-length', 100_000).end('x'.repeat(100_000)),
    )
    const endless = await tcp((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
      const more = () => socket.write(`1000\r\n${'x'.repeat(4096)}\r\n`, () => setImmediate(more))
      more()
    })
    for (const url of [announced, endless]) {
      expect(faultOf(await allowed().request({ url, ...limits }))).toBe('too_large')
      const cut = answered(await allowed().request({ url, ...limits, truncate: true }))
      expect([cut.status, cut.body.length, cut.truncated]).toEqual([200, 65_536, true])
    }
    const fits = await listen((_request, response) => response.end('x'.repeat(65_536)))
    expect(answered(await allowed().request({ url: fits, ...limits })).body.length).toBe(65_536)
  })

  test.each([
    ['that never comes', (socket: Socket) => void socket],
    ['that drips', (socket: Socket) => drip(socket, 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n')],
    ['whose headers drip', (socket: Socket) => drip(socket, 'HTTP/1.1 200 OK\r\nx-a: ')],
    ['of 100s for ever', (socket: Socket) => drip(socket, '', 'HTTP/1.1 100 Continue\r\n\r\n')],
  ])('%s ends on time', async (_name, serve) => {
    const url = await tcp(serve)
    const outcome = await allowed().request({ url, timeoutMs: 200, maxBytes: 65_536 })
    expect(outcome).toMatchObject({ fault: expect.stringMatching(/^(timed_out|connection_lost)$/) })
    expect(outcome.timings.total).toBeLessThan(1_000)
  })

  test('that is none is told apart', async () => {
    const garbage = await tcp((socket) => socket.end('this is not HTTP\r\n\r\n'))
    expect(faultOf(await allowed().request({ url: garbage, ...limits }))).toBe('http_invalid')
    const reset = await tcp((socket) => socket.on('data', () => socket.resetAndDestroy()))
    expect(faultOf(await allowed().request({ url: reset, ...limits }))).toBe('connection_lost')
    const short = await tcp((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'))
    expect(faultOf(await allowed().request({ url: short, ...limits }))).toBe('connection_lost')
    const huge = await tcp((socket) => socket.end(`HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(100_000)}\r\n\r\n`))
    expect(faultOf(await allowed().request({ url: huge, ...limits }))).toBe('too_large')
    const plain = await listen((_request, response) => response.end('ok'))
    expect(faultOf(await allowed().request({ url: plain.replace('http:', 'https:'), ...limits }))).toBe('tls_failed')
    const { port } = new URL(await listen(() => {}))
    expect(faultOf(await newOutbound(['127.0.0.2/32']).request({ url: `http://127.0.0.2:${port}`, ...limits }))).toBe(
      'connect_refused',
    )
  })

  test('is not waited for after the caller gave up', async () => {
    const url = await tcp(() => {})
    const giveUp = new AbortController()
    const outcome = allowed().request({ url, ...limits, signal: giveUp.signal })
    giveUp.abort()
    expect(faultOf(await outcome)).toBe('aborted')
    expect(faultOf(await allowed().request({ url, ...limits, signal: AbortSignal.abort() }))).toBe('aborted')
  })

  test('is fetched anew when the kept connection was closed meanwhile, unless that could do the thing twice', async () => {
    let connections = 0
    const url = await tcp((socket) => {
      connections++
      let requests = 0
      socket.on('data', () => {
        if (++requests > 1) return void socket.destroy()
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
      })
    })
    const outbound = allowed()
    const get = () => outbound.request({ url, ...limits })
    expect([faultOf(await get()), faultOf(await get()), connections]).toEqual([200, 200, 2])
    const post = (idempotent: boolean) => outbound.request({ url, method: 'POST', body: 'x', idempotent, ...limits })
    expect([faultOf(await post(true)), connections]).toEqual([200, 3])
    expect([faultOf(await post(false)), connections]).toEqual(['connection_lost', 3])
  })

  test('of a header that would split the request is refused', async () => {
    const { url, reached } = await trap()
    const outcome = await allowed().request({ url, headers: { 'x-a': 'b\r\nhost: evil' }, ...limits })
    expect(faultOf(outcome)).toBe('url_invalid')
    expect(reached()).toBe(0)
  })
})

test('a thousand calls at once share some connections, and each gets its own answer', async () => {
  const sockets = new Set<unknown>()
  const url = await listen((request, response) => {
    sockets.add(request.socket)
    response.end(request.url)
  })
  const outbound = newOutbound(['127.0.0.1/32'])
  const paths = Array.from({ length: 1_000 }, (_, n) => `/${n}`)
  const bodies = await Promise.all(
    paths.map(async (path) => answered(await outbound.request({ url: url + path, ...limits })).body.toString()),
  )
  expect(bodies).toEqual(paths)
  expect(sockets.size).toBeLessThanOrEqual(256)
})

function drip(socket: Socket, head: string, drop = 'x'): void {
  socket.write(head)
  const timer = setInterval(() => socket.write(drop), 20)
  socket.on('close', () => clearInterval(timer))
}
