import { domainToUnicode } from 'node:url'
import { expect, test } from 'vitest'
import { structureOf } from '../../server/email/structure.ts'
import { builtin } from '../../server/email/builtin.ts'
import { brandedApp } from '../support/mail.ts'
import { operatorToken } from '../support/operator.ts'
import { randomBytes } from '../support/random.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { signInWithTelegram } from '../support/signIn.ts'
import { startSmtp, type Received } from '../support/smtp.ts'
import { person } from '../support/telegram.ts'

// What strangers can say of themselves, said through the public API and read where a real mail server has taken it.

/** Names that want to be more than a name: made of pieces, so that no list was written to fit what is filtered. */
function names(): string[] {
  const pieces = [
    ...[
      '\u202e',
      '\u2066',
      '\u200b',
      '\u00ad',
      '\ufeff',
      '\u2028',
      '\u0301'.repeat(40),
      '\ud83d',
      '\u{e0041}',
      '\u3164',
      '﷽',
    ],
    ...[
      '<b>',
      '</td></tr></table>',
      '<!--',
      '-->',
      ']]>',
      '<![CDATA[',
      '<?x',
      '<%',
      '&#60;',
      '&lt;img src=x onerror=1&gt;',
    ],
    ...[
      '<img/src=x/onerror=1>',
      '<svg/onload=1>',
      '<style>*{x:1}</style>',
      '<plaintext>',
      '<xmp>',
      '<a ping=x>',
      '<math><mi//',
    ],
    ...[
      '{{ code }}',
      '{%',
      '%}',
      '{{',
      '}}',
      "{{'a'|upcase}}",
      '{% if true %}',
      '${code}',
      '#{code}',
      '@{code}',
      '[[${code}]]',
    ],
    ...[
      '=?utf-8?b?QmNjOiBlQGUuZXg=?=',
      '=0D=0ABcc: e',
      '=3D',
      '--eml_',
      'boundary="x"',
      '\\u000d\\u000aX: y',
      '%0D%0AX: y',
      '\\r\\nX: y',
    ],
    ...[
      '" onmouseover="x',
      "' style='x",
      '`',
      ';',
      '\\',
      '"',
      ',',
      '<e',
      '>',
      '(c)',
      '$(id)',
      '`id`',
      '| id',
      '&& id',
      '\\0',
    ],
    ...['.', '..', '\u00a0.\u00a0', '.\u200b', '\u2024', 'From ', '>From ', 'QUIT', 'RSET'],
  ]
  const bytes = randomBytes('names', 4_000)
  let at = 0
  const some = () => pieces[bytes.readUInt16BE((2 * at++) % 3_998) % pieces.length]!
  const mixed = Array.from({ length: 120 }, () => `A${some()}b${some()}${some()}`)
  return [...pieces.map((piece) => `A${piece}b`), ...mixed]
}

const FIELDS = [
  ...['auto-submitted', 'content-language', 'content-type', 'date', 'from', 'message-id', 'mime-version', 'reply-to'],
  ...['subject', 'to', 'x-auto-response-suppress', 'x-entity-ref-id'],
]

/** What is the same in every mail of a kind, whoever it is about. */
function bones({ parsed, source, to }: Received) {
  const parts = [...source.matchAll(/^Content-Type: ([\w/]+)/gim)].map(([, type]) => type)
  return {
    fields: [...parsed.headers.keys()].sort(),
    from: parsed.from!.value,
    subject: parsed.subject,
    skeleton: structureOf(parsed.html as string),
    recipients: to.length,
    parts,
    attachments: parsed.attachments.length,
    bare: /[^\r]\n|\r[^\n]/.test(source),
    long: source.split('\r\n').some((line) => Buffer.byteLength(line) > 998),
    ascii: /^[\r\n\t\x20-\x7e]*$/.test(source),
  }
}

async function askForCode(server: TestServer, token: string, ip: string, device?: string) {
  const headers = { 'x-forwarded-for': ip, ...(device !== undefined && { 'user-agent': device }) }
  return call(server, 'POST', '/v1/me/signature/reset', { token, body: {}, headers })
}

test('whatever people and their devices are called, each gets one mail of the same make', async () => {
  const smtp = await startSmtp()
  const env = { SMTP_URL: smtp.url, GATEHOUSE_TRUST_PROXY: '127.0.0.1/32', GATEHOUSE_RATE_LIMITS: 'off' }
  const server = await startServer({ env })
  const app = await brandedApp(server)
  const strings = ['Ada', ...names()]
  const taken: string[] = []
  for (const [nth, name] of strings.entries()) {
    // Half of them by what Telegram calls them, half by what they call themselves.
    const who = { ...person(1_000 + nth), first_name: nth % 2 ? name : 'Ada' }
    const { body } = await signInWithTelegram(server, app, who)
    const token = body['accessToken'] as string
    const email = `person${nth}@example.org`
    const said = await call(server, 'PATCH', '/v1/me', { token, body: { email, ...(nth % 2 === 0 && { name }) } })
    if (said.status !== 200) {
      expect([said.status, said.body['code']]).toEqual([400, 'invalid_request'])
      continue
    }
    // Header fields hold Latin-1 alone.
    const device = name.replace(/[^\x20-\x7e\xa0-\xff]/g, '?')
    const answer = await askForCode(server, token, `203.0.${nth >> 8}.${nth & 255}`, device)
    expect(answer.status).toBe(202)
    taken.push(email)
  }
  await server.runtime.mailer.pass()
  expect(smtp.received.map(({ to }) => to[0]).sort()).toEqual(taken.sort())
  expect(taken.length).toBeGreaterThan(150)
  const calm = bones(smtp.received.find(({ to }) => to[0] === 'person0@example.org')!)
  expect(calm).toMatchObject({ fields: FIELDS, bare: false, long: false, ascii: true, attachments: 0 })
  for (const mail of smtp.received) {
    expect(bones(mail)).toEqual(calm)
    // The code is in its own place alone, and nothing but the code is there.
    const codes = (mail.parsed.html as string).match(/\b\d{6}\b/g)!.filter((digits) => digits !== '000000')
    expect(new Set(codes.filter((digits) => mail.parsed.text!.includes(digits))).size).toBe(1)
  }
}, 240_000)

test('an address is one mailbox or none at all', async () => {
  const smtp = await startSmtp()
  const env = { SMTP_URL: smtp.url, GATEHOUSE_TRUST_PROXY: '127.0.0.1/32', GATEHOUSE_RATE_LIMITS: 'off' }
  const server = await startServer({ env })
  const app = await brandedApp(server)
  const wanted = [
    ...[
      '"eve eve"@example.org',
      '"eve\\"@evil.example>"@example.org',
      '"@evil.example"@example.org',
      'eve(x)@example.org',
    ],
    ...[
      'eve@example.org> NOTIFY=SUCCESS,FAILURE',
      'eve@example.org SIZE=1',
      'eve@example.org>\r\nRCPT TO:<bob@example.org',
      '<eve@example.org>',
    ],
    ...[
      'eve@example.org%0d%0aDATA',
      'eve@example.org\u2028bob@example.org',
      'eve@example.org;bob@example.org',
      'eve,bob@example.org',
    ],
    ...[
      'eve＠example.org',
      'eve@ex。ample.org',
      'eve@еxample.org',
      'ёва@example.org',
      'eve@exa\u00admple.org',
      'eve@example.org\u0000',
    ],
    ...[
      'eve@[127.0.0.1]',
      'eve@[IPv6:::1]',
      'eve@127.1',
      'eve@0x7f.1',
      'eve@localhost',
      'eve@example.org.',
      'eve@.example.org',
    ],
    ...[
      'eve@example.org:25',
      'eve@example.org/x',
      'eve@example.org?cc=bob@example.org',
      'eve@example.org#x',
      'eve@exa mple.org',
    ],
    ...[
      `${'e'.repeat(65)}@example.org`,
      `eve@${'e'.repeat(64)}.org`,
      `eve@${'e.'.repeat(130)}org`,
      `${'e'.repeat(300)}@example.org`,
    ],
    ...[
      'mailto:eve@example.org',
      '=?utf-8?q?eve?=@example.org',
      'eve@@example.org',
      '.eve@example.org',
      'eve.@example.org',
    ],
    ...[
      'eve+tag@example.org',
      "o'eve@example.org",
      'EVE@EXAMPLE.ORG',
      'eve@xn--bcher-kva.example',
      'eve%evil.example@example.org',
    ],
  ]
  const accepted: string[] = []
  for (const [nth, email] of wanted.entries()) {
    const { body } = await signInWithTelegram(server, app, person(2_000 + nth))
    const token = body['accessToken'] as string
    const said = await call(server, 'PATCH', '/v1/me', { token, body: { email } })
    const link = await call(server, 'POST', '/v1/me/link', {
      token,
      body: { email },
      headers: { 'x-forwarded-for': `198.51.100.${nth}` },
    })
    expect([200, 400]).toContain(said.status)
    expect([202, 400]).toContain(link.status)
    if (said.status === 200) {
      accepted.push(email)
      await askForCode(server, token, `203.0.113.${nth}`)
    }
  }
  await server.runtime.mailer.pass()
  // The host is written in lower case and, by this mail server, as people read it; the rest is as it was given.
  const mailbox = (email: string) => `${email.split('@')[0]}@${domainToUnicode(email.split('@')[1]!)}`
  expect(smtp.received.flatMap(({ to }) => to).sort()).toEqual(accepted.map(mailbox).sort())
  for (const { parsed } of smtp.received) expect([...parsed.headers.keys()].sort()).toEqual(FIELDS)
  expect(accepted).toEqual(expect.arrayContaining(['eve+tag@example.org', "o'eve@example.org"]))
  // What no mail can go to is refused where it is said, and not only when it is too late.
  for (const email of accepted) expect(email).toMatch(/^[\x21-\x7e]+@[a-z0-9.-]+$/i)
}, 120_000)

/** Templates by which an operator of one app could harm the server or get at what is not theirs. */
const templates: Record<string, string> = {
  'growing by replacing nothing': `{% assign a = 'xx' %}${"{% assign a = a | replace: '', a %}".repeat(12)}{{ a }}`,
  'doubling without a loop': `{% assign a = 'xxxxxxxxxx' %}${'{% assign a = a | append: a %}'.repeat(40)}{{ a }}`,
  'a capture that holds itself': `{% capture a %}xxxxxxxxxxxxxxxx{% endcapture %}${'{% capture a %}{{ a }}{{ a }}{% endcapture %}'.repeat(40)}{{ a }}`,
  'a large number':
    "{{ 1 | times: 1e308 | times: 1e308 | append: '' | prepend: '' }}{{ 1 | divided_by: 0 }}{% for i in (1..2) %}",
  'a range of a length from outside': '{% assign n = 999999999 | times: 999999999 %}{% for i in (1..n) %}x{% endfor %}',
  'a range down from nothing': '{% for i in (-9007199254740993..9007199254740993) %}{% endfor %}',
  'a slice of a size that is none':
    '{{ app.name | slice: -9007199254740993, 9007199254740993 | truncate: 9007199254740993 | undefinedfilter }}',
  'all that an object has': '{% for x in app %}{{ x }}{{ x[0] }}{{ x.constructor }}{% endfor %}',
  'a path that is made up': "{% assign k = 'constr' | append: 'uctor' %}{{ app[k] }}{{ user[k][k] }}",
  'what a text has': "{{ app.name.constructor }}{{ app.name['at'] }}",
  'the forbidden, in other spelling': "{%- include 'x' -%}{%-   render   'x'   -%}",
  'a comment that is not closed': '{% comment %}{{ code }}',
  'inline comment with a tag': "{% # {% include 'x' %} %}{% include 'x' %}",
  'liquid within liquid': '{{ "{{ code }}" }}{{ "{% include x %}" }}{% echo code %}',
  'branches without end': `${'{% case 1 %}{% when 1 %}'.repeat(400)}${'{% endcase %}'.repeat(400)}{{ nothing }}`,
  'loops that start each other': `${'{% for a in (1..50) %}'.repeat(12)}${'{% endfor %}'.repeat(12)}`,
  'a filter that fits by a getter': '{{ app | first | first }}{{ app | map: "constructor" }}',
}

test('no template that an operator could write gets out, grows, or takes long', async () => {
  const server = await startServer()
  const app = await brandedApp(server)
  const token = await operatorToken(server, 'admin', 'one@example.com', [app.id])
  const kind = 'verification_code_reset_signature'
  const base = builtin(kind, 'en')
  for (const [name, source] of Object.entries(templates))
    for (const part of ['html', 'subject'] as const) {
      const content = { ...base, [part]: source + base[part] }
      const path = `/api/v1/apps/${app.publicId}/email-templates/${kind}`
      const began = performance.now()
      const answer = await call(server, 'POST', `${path}/preview`, { token, body: { content } })
      expect([name, part, answer.status, performance.now() - began < 5_000]).toEqual([name, part, 200, true])
      expect([name, part, answer.body['ok'], answer.body['mail']]).toEqual([name, part, false, null])
      expect(JSON.stringify(answer.body)).not.toMatch(/native code|function |node_modules|\/server\/|process\.env/)
      const published = await call(server, 'PUT', path, { token, body: { content, publish: true } })
      expect([name, part, published.status]).toEqual([name, part, 400])
    }
}, 240_000)
