import { createServer, type AddressInfo } from 'node:net'
import ipaddr from 'ipaddr.js'
import { describe, expect, onTestFinished, test } from 'vitest'
import { changeApp } from '../../server/app/change.ts'
import { createLookup } from '../../server/http/outbound/lookup.ts'
import { cliActor } from '../../server/operator/audit.ts'
import { startNameServer } from '../support/names.ts'
import { bearer, consoleClient, operatorToken } from '../support/operator.ts'
import { readRegistries } from '../support/registry.ts'
import { startServer } from '../support/server.ts'
import { answerJson, goodClaims, ssoLogin, startTokenInfo } from '../support/tokenInfo.ts'

/** Where an app's owner may send this server by typing a tokenInfoURL, seen from outside: the sign-in, and what the console says. */

async function setUp(env: Record<string, string> = {}, names?: string) {
  const server = await startServer({
    env: { GATEHOUSE_RATE_LIMITS: 'off', ...env },
    ...(names && { lookup: createLookup([names]) }),
  })
  const app = await server.createApp({ sso: { audiences: ['tomo'], timeoutMs: 500 } })
  const api = consoleClient(server, bearer(await operatorToken(server)))
  let round = 0
  return {
    server,
    app,
    /** Sets the URL, signs in by it, and asks the console why not. */
    async reach(tokenInfoUrl: string) {
      await changeApp(server.runtime, cliActor, app.id, { sso: { tokenInfoUrl } })
      const login = await ssoLogin(server, app, `token-${round++}`)
      const { verdict } = await api.sso.try.mutate({ id: app.publicId, token: 'token' })
      const { problem } = await api.sso.health.query({ id: app.publicId })
      return { status: login.status, body: login.body, verdict, problem }
    },
    /** Whether an operator may save it at all. */
    save: (tokenInfoUrl: string) => api.apps.update.mutate({ id: app.publicId, sso: { tokenInfoUrl } }),
  }
}

/** A port of this machine that must never be connected to. */
async function trap() {
  let reached = 0
  const server = createServer((socket) => {
    reached++
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, resolve))
  onTestFinished(() => void server.close())
  return { port: (server.address() as AddressInfo).port, reached: () => reached }
}

/** Every block of IANA's registries that is not globally reachable, its first, last and some address in between. */
function specialAddresses(): string[] {
  const special = readRegistries().filter(([, reachable]) => !reachable)
  return [...new Set(special.flatMap(([block]) => edges(block)))]
}

function edges(block: string): string[] {
  const [address, prefix] = ipaddr.parseCIDR(block)
  const first = address.toByteArray()
  const fill = (byte: number, at: number, value: number) => {
    const free = Math.min(8, Math.max(0, (at + 1) * 8 - prefix))
    return byte | (value & (2 ** free - 1))
  }
  const variants = [first, first.map((byte, at) => fill(byte, at, 255)), first.map((byte, at) => fill(byte, at, 0x55))]
  return variants.map((bytes) => ipaddr.fromByteArray(bytes).toString())
}

describe('an address that is not public', () => {
  test("is refused wherever it lies in IANA's registries, and in every IPv6 form of it", async () => {
    const { reach } = await setUp()
    const { port, reached } = await trap()
    const plain = specialAddresses()
    expect(plain.length).toBeGreaterThan(80)
    const wrapped = plain
      .filter((ip) => !ip.includes(':') && !/^192\.0\.0\.(9|10)$/.test(ip))
      .flatMap((ip) => {
        const [a, b, c, d] = ip.split('.').map(Number) as [number, number, number, number]
        const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
        const flipped = `${(((a << 8) | b) ^ 0xffff).toString(16)}:${(((c << 8) | d) ^ 0xffff).toString(16)}`
        return [
          ...[`::ffff:${ip}`, `::${ip}`, `::ffff:0:${ip}`, `64:ff9b::${ip}`, `64:ff9b:1::${ip}`, `2002:${hex}::`],
          ...[`2001:0:4136:e378:8000:63bf:${flipped}`, `fe80::5efe:${hex}`, `::ffff:${hex}`],
        ]
      })
    const wrong: unknown[] = []
    for (const ip of [...plain, ...wrapped]) {
      const url = `http://${ip.includes(':') ? `[${ip}]` : ip}:${port}/`
      const { status, body, verdict, problem } = await reach(url)
      const refused = status === 502 || status === 503
      if (!refused || !/is |leads to/.test(verdict) || problem === null || JSON.stringify(body).includes(ip))
        wrong.push([ip, status, verdict])
    }
    expect(wrong).toEqual([])
    expect(reached()).toBe(0)
  }, 120_000)

  test('is refused in every spelling of a host', async () => {
    const { reach, save } = await setUp()
    const { port, reached } = await trap()
    const hosts = [
      ...['2130706433', '0x7f000001', '0X7F.1', '017700000001', '0177.0.0.01', '127.1', '127.0.1', '0x7f.0.0x0.1'],
      ...['0', '0.0', '0x0', '00000000000', '127.0.0.1.', '127.0.0.1%2e', '127.0.0.%31'],
      ...[
        '3232235777',
        '0xc0a80101',
        '10.1',
        '0xa.0x1',
        '169.254.43518',
        '0xa9fea9fe',
        '2852039166',
        '0251.0376.0251.0376',
      ],
      ...['１２７.０.０.１', '①②⑦.⓪.⓪.①', '127。0。0。1', '127．0．0．1', '𝟭𝟮𝟳.𝟬.𝟬.𝟭', 'ⓛⓞⓒⓐⓛⓗⓞⓢⓣ', 'loc\u00adalhost'],
      ...['localhost', 'LOCALHOST', 'localhost.', 'sub.localhost', 'ip6-localhost'],
      ...['[::1]', '[0:0:0:0:0:0:0:1]', '[::0001]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:127.0.0.1]', '[::]'],
    ]
    for (const host of hosts) {
      const { status, verdict } = await reach(`http://${host}:${port}/`)
      expect([host, status === 502 || status === 503]).toEqual([host, true])
      expect([host, verdict]).toEqual([
        host,
        expect.stringMatching(/GATEHOUSE_ALLOW_NETWORKS|never reached|no host named|name servers/),
      ])
    }
    expect(reached()).toBe(0)
    // These are no URLs that could be meant.
    for (const url of [
      `http://[fe80::1%25eth0]:${port}/`,
      `http://[::1%lo]:${port}/`,
      `http://256.256.256.256/`,
      `http://1.2.3.4.5/`,
      `http://0x7f.0.0.0x100/`,
      `http://127.0.0.1 .example/`,
      `http://user@example.com/`,
      `http://a:b@example.com/`,
      `http://example.com@127.0.0.1:${port}/`,
      `http://127.0.0.1\\@example.com/`,
      `file:///etc/passwd`,
      `gopher://127.0.0.1/`,
      `//127.0.0.1/`,
    ]) {
      const saved = await save(url).then(
        () => true,
        () => false,
      )
      if (saved) expect([url, (await reach(url)).status === 502]).toEqual([url, true])
    }
    expect(reached()).toBe(0)
  })

  test('stays closed behind the port of another service', async () => {
    const { reach } = await setUp({ GATEHOUSE_ALLOW_NETWORKS: '127.0.0.1/32' })
    for (const port of [1, 22, 25, 53, 110, 139, 143, 389, 445, 465, 587, 993, 1023]) {
      const { status, verdict } = await reach(`http://127.0.0.1:${port}/`)
      expect([port, status === 502 || status === 503, verdict]).toEqual([
        port,
        true,
        `A URL with port ${port} is refused; use 80, 443 or one from 1024 on`,
      ])
    }
  })

  test('is not reached by a redirect either', async () => {
    const { server, reach } = await setUp({ GATEHOUSE_ALLOW_NETWORKS: '127.0.0.1/32' })
    const { port, reached } = await trap()
    const tokenInfo = await startTokenInfo()
    for (const status of [301, 302, 303, 307, 308]) {
      tokenInfo.answer = (_asked, response) =>
        response
          .writeHead(status, { location: `http://127.0.0.2:${port}/`, refresh: `0; url=http://127.0.0.2:${port}/` })
          .end()
      expect((await reach(tokenInfo.url)).body).toMatchObject({ status: 401, upstreamStatus: status })
    }
    tokenInfo.says(goodClaims(server))
    expect((await reach(tokenInfo.url)).status).toBe(200)
    expect(reached()).toBe(0)
  })
})

describe('a name', () => {
  test('that leads inside is refused, whatever else it leads to', async () => {
    const leads: Record<string, string[]> = {
      'loopback.example': ['127.0.0.1'],
      'six.example': ['::1'],
      'mapped.example': ['::ffff:127.0.0.1'],
      'both.example': ['8.8.8.8', '127.0.0.1'],
      'six-beside.example': ['8.8.8.8', '::1'],
      'private.example': ['10.0.0.1'],
      'cloud.example': ['169.254.169.254'],
      'translated.example': ['64:ff9b::7f00:1'],
      'unspecified.example': ['0.0.0.0'],
      'xn--lnder-gra.example': ['192.168.0.1'],
    }
    const names = await startNameServer((name) => leads[name])
    const { reach } = await setUp({}, names.address)
    const { port, reached } = await trap()
    for (const name of [...Object.keys(leads), 'LOOPBACK.example', 'loopback.example.', 'länder.example']) {
      const { verdict, problem } = await reach(`http://${name}:${port}/`)
      expect([name, verdict, problem]).toEqual([
        name,
        expect.stringMatching(/leads to .+, which (is|leads).+GATEHOUSE_ALLOW_NETWORKS/),
        // What a name leads to is only known once it is asked.
        null,
      ])
    }
    expect((await reach(`http://nobody.example:${port}/`)).verdict).toMatch(/no host named/)
    expect(names.asked).toContain('xn--lnder-gra.example')
    expect(reached()).toBe(0)
  })

  test('that changes its mind between two questions is connected to as it was judged, each time', async () => {
    const upstream = await startTokenInfo()
    const inside = await trap()
    let rebound = false
    const names = await startNameServer(() => [rebound ? '127.0.0.2' : '127.0.0.1'])
    const { server, reach } = await setUp({ GATEHOUSE_ALLOW_NETWORKS: '127.0.0.1/32' }, names.address)
    upstream.answer = (_asked, response) => {
      // The moment it was asked, the name leads elsewhere; and no connection is kept.
      rebound = true
      response.setHeader('connection', 'close')
      answerJson(response, goodClaims(server))
    }
    const { port } = new URL(upstream.url)
    const first = await reach(`http://rebinding.example:${port}/`)
    expect([first.status, first.verdict]).toEqual([
      200,
      expect.stringContaining('leads to 127.0.0.2, which is a loopback'),
    ])
    expect((await reach(`http://rebinding.example:${inside.port}/`)).verdict).toContain('127.0.0.2')
    expect([upstream.asked.length, inside.reached()]).toEqual([1, 0])
    // One question a connection: nothing is asked twice, so nothing can differ.
    expect(names.asked.length).toBe(4)
  })
})

describe('GATEHOUSE_ALLOW_NETWORKS', () => {
  const open = (networks: string) => setUp({ GATEHOUSE_ALLOW_NETWORKS: networks })
  const refused = async (reach: (url: string) => Promise<{ verdict: string }>, host: string) =>
    /GATEHOUSE_ALLOW_NETWORKS/.test((await reach(`http://${host}:9/`.replace(':9/', ':4099/'))).verdict)

  test('opens private networks by CIDR, and nothing beside them', async () => {
    const { reach } = await open('10.20.0.0/30, 100.64.0.0/30 fd12::/64')
    for (const host of ['10.20.0.4', '10.19.255.255', '192.168.0.1', '100.64.0.4', '[fd13::1]', '127.0.0.1'])
      expect([host, await refused(reach, host)]).toEqual([host, true])
  })

  test('opens loopback, link-local, metadata and reserved addresses only when each is named itself', async () => {
    const wide = await open(
      '0.0.0.0/0, ::/0, 127.0.0.0/31, 127.0.0.0/8, 169.254.0.0/16, 240.0.0.0/4, ::/127, fe80::/10',
    )
    for (const host of [
      '127.0.0.1',
      '127.0.0.0',
      '169.254.169.254',
      '169.254.0.1',
      '240.0.0.1',
      '0.0.0.0',
      '[::1]',
      '[fe80::1]',
      '224.0.0.1',
      '192.0.2.1',
      '[fd00:ec2::254]',
      '100.100.100.200',
      '198.18.0.1',
    ])
      expect([host, await refused(wide.reach, host)]).toEqual([host, true])
    const named = await open('127.0.0.1/32 ::1/128')
    expect(await refused(named.reach, '127.0.0.1')).toBe(false)
    expect(await refused(named.reach, '[::1]')).toBe(false)
    for (const host of ['127.0.0.2', '[::2]', '[fe80::1]'])
      expect([host, await refused(named.reach, host)]).toEqual([host, true])
  })
})
