import { expect, test } from 'vitest'
import { builtin } from '../../server/email/builtin.ts'
import { checkContexts } from '../../server/email/contexts.ts'
import { liquidFault, parseLiquid, renderLiquid } from '../../server/email/engine.ts'
import { kinds, locales, type MailFacts } from '../../server/email/kinds.ts'
import { render } from '../../server/email/render.ts'
import { structureOf } from '../../server/email/structure.ts'
import { valuesOf, variablesOf } from '../../server/email/variables.ts'
import { brandedApp, queueMail } from '../support/mail.ts'
import { startServer } from '../support/server.ts'
import { startSmtp } from '../support/smtp.ts'

/** Ways out of a text or an attribute × what runs there × how it is spelled: what the public lists are made of. */
function scripts(): string[] {
  const exits = [
    '',
    '"',
    "'",
    '`',
    '>',
    '">',
    "'>",
    '"/>',
    '</td>',
    '</style>',
    '</title>',
    '-->',
    ']]>',
    '&quot;>',
    '\u2028',
    '\0">',
    '</textarea>',
    '%22%3E',
  ]
  const tags = [
    'script',
    'img',
    'svg',
    'iframe',
    'math',
    'body',
    'details',
    'video',
    'a',
    'input',
    'marquee',
    'object',
    'style',
    'base',
    'meta',
    'link',
  ]
  const acts = [
    '>alert(1)',
    ' src=x onerror=alert(1)>',
    '/onload=alert(1)>',
    ' href=javascript:alert(1)>x',
    ' style="background:url(//x)">',
    '\tonfocus=alert`1` autofocus>',
  ]
  const spell = [
    (text: string) => text,
    (text: string) => text.toUpperCase(),
    (text: string) => text.replaceAll('<', '&lt;'),
    (text: string) => text.replaceAll('<', '<\0'),
  ]
  return exits.flatMap((exit) =>
    tags.flatMap((tag) => acts.flatMap((act) => spell.map((say) => say(`${exit}<${tag}${act}`)))),
  )
}

const templates = [
  '{{7*7}}',
  '{{ app.primaryColor }}',
  "{% include 'package.json' %}",
  '{{ this.constructor.constructor("return process")() }}',
  '${7*7}',
  '<%= 7*7 %>',
  '#{7*7}',
  '{{#with "s"}}',
  '{{"".__proto__}}',
  '{%raw%}{{x}}{%endraw%}',
  '[[code]]',
  '*{T(java.lang.Runtime)}',
  '{{constructor}}',
  '{{ code }}',
  '{% assign code = 1 %}',
]

test('thousands of strings from people change no structure of any mail and are shown as text', async () => {
  const server = await startServer()
  const app = await brandedApp(server)
  const at = server.clock.now
  const values = (kind: string, locale: (typeof locales)[number], facts: MailFacts) =>
    valuesOf(app, { ...(kind.startsWith('ver') && { code: '493817' }), ...facts }, { locale, at, expiresAt: at })
  const mails = kinds.flatMap((kind) =>
    locales.slice(0, 2).map((locale) => {
      const content = builtin(kind, locale)
      const { subject, html } = render(content, values(kind, locale, { ip: 'x', device: 'x' }))
      return { kind, locale, content, calm: { subject, skeleton: structureOf(html) } }
    }),
  )
  const strings = [...scripts(), ...templates]
  expect(strings.length).toBeGreaterThan(6_000)
  let shown = 0
  for (const [at, text] of strings.entries()) {
    const { kind, locale, content, calm } = mails[at % mails.length]!
    const rendered = render(
      content,
      values(kind, locale, { userName: `A ${text}`.slice(0, 40), ip: text, device: text }),
    )
    const name = rendered.html.includes('A ')
    const skeleton = structureOf(rendered.html)
    if (skeleton !== calm.skeleton) throw new Error(`${JSON.stringify(text)} changes the structure`)
    if (/<(script|svg|iframe|math|object|video|base|input|marquee)/i.test(rendered.html)) throw new Error(text)
    if (rendered.html.includes('49</') || rendered.text.includes('#0064bf')) throw new Error(`${text} was executed`)
    expect(rendered.subject).toBe(calm.subject)
    shown += Number(name)
  }
  expect(shown).toBeGreaterThan(0)
}, 120_000)

/** Each tries to begin a header, to add a recipient, or to end the headers. */
const headers = [
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  '\n\n',
  '%0d%0a',
  '\u0000\r\n',
  '\u2028',
  '\u2029',
  '\u000b',
  '\u0085',
  '\r\n\t',
  '\r\n ',
  '=?utf-8?q?=0D=0A?=',
  '\\r\\n',
  '\u560a\u560d',
  '\f',
  ' \r\n',
].flatMap((gap) => [`Ada${gap}Bcc: eve@example.com`, `Ada${gap}Content-Type: text/html`])

test(`${headers.length} strings that would forge headers forge none, wherever they stand`, async () => {
  const smtp = await startSmtp()
  const server = await startServer({ env: { SMTP_URL: smtp.url } })
  const plain = await brandedApp(server)
  for (const text of headers) {
    await queueMail(server, {
      app: plain,
      kind: 'signature_updated',
      variables: { userName: text, ip: text, device: text },
    })
    await queueMail(server, { app: plain, kind: 'signature_updated', to: `ada@example.org${text}` })
  }
  await server.runtime.mailer.pass()
  expect(smtp.received).toHaveLength(headers.length)
  for (const { parsed, to, source } of smtp.received) {
    expect(to).toEqual(['ada@example.org'])
    expect(parsed.bcc).toBeUndefined()
    expect(parsed.cc).toBeUndefined()
    expect([...parsed.headers.keys()].sort()).toEqual([
      'auto-submitted',
      'content-language',
      'content-type',
      'date',
      'from',
      'message-id',
      'mime-version',
      'reply-to',
      'subject',
      'to',
      'x-auto-response-suppress',
      'x-entity-ref-id',
    ])
    expect(parsed.attachments).toEqual([])
    expect(source.slice(0, source.indexOf('\r\n\r\n'))).not.toContain('eve@')
  }
})

test('settings that would forge headers are refused, and names with every sign stay one sender', async () => {
  const smtp = await startSmtp()
  const server = await startServer({ env: { SMTP_URL: smtp.url } })
  const names = [
    'Quest "Q" <eve@example.com>',
    'Quest, eve@example.com',
    'Łódź 🚀, Ltd.',
    'a;b:c@d',
    '=?utf-8?q?x?=',
    '(x) \\',
  ]
  for (const [at, appName] of names.entries()) {
    const app = await brandedApp(server, {
      slug: `app-${at}`,
      branding: { appName, supportEmail: 'help@quest.example' },
      email: { senderName: appName, senderAddress: 'no-reply@quest.example' },
    })
    await queueMail(server, { app, kind: 'signature_updated' })
  }
  await server.runtime.mailer.pass()
  expect(smtp.received.map(({ parsed }) => parsed.from!.value)).toEqual(
    expect.arrayContaining(names.map(() => [{ name: expect.any(String), address: 'no-reply@quest.example' }])),
  )
  for (const { parsed, to } of smtp.received) {
    expect(parsed.from!.value).toHaveLength(1)
    expect(to).toEqual(['ada@example.org'])
  }
})

const sources = [
  "{% include 'package.json' %}",
  "{% render '/etc/passwd' %}",
  "{% layout 'x' %}",
  '{% raw %}{{ x }}{% endraw %}',
  '{{ code | raw }}',
  '{% liquid echo code %}',
  '{{ app.constructor }}',
  '{{ app["__proto__"] }}',
  '{{ code.constructor }}',
  '{{ app | json }}',
  '{{ code | inspect }}',
  '{{ app | where_exp: "x", "x" }}',
  '{{ "a" | sha256 }}',
  '{% for i in (1..100000000) %}x{% endfor %}',
  "{% assign a = 'xxxxxxxxxxxxxxxx' %}{% for i in (1..60) %}{% assign a = a | append: a %}{% endfor %}",
  '{% block x %}{% endblock %}',
  '{% tablerow i in (1..3) %}{% endtablerow %}',
  '{% increment x %}',
  '{% cycle "a", "b" %}',
  '{{ process.env.PATH }}',
  '{{ env }}',
  '{{ config.smtpUrl }}',
  '{{ user.email }}',
  '{{ globalThis }}',
  '{{ "x" | date: "%s" }}',
  '{{ page }}',
  '{{ forloop }}',
]
test.each(sources)('the template %j is refused, quickly', (source) => {
  const began = performance.now()
  expect(() =>
    renderLiquid(parseLiquid(source, 'html'), { app: { name: 'x' }, code: 'c', user: { name: 'n' } }, 'html', 500),
  ).toThrow()
  expect(performance.now() - began).toBeLessThan(1_000)
})

const contexts: [string, string | undefined][] = [
  ['<p>{{ user.name }}</p>', undefined],
  ['<p title="{{ user.name }}">x</p>', undefined],
  ['<p title={{ user.name }}>x</p>', 'unquoted'],
  ['<p {{ user.name }}>x</p>', 'tag_output'],
  ['<{{ user.name }}>', 'tag_output'],
  ['<a href="{{ user.name }}">x</a>', 'address_output'],
  ['<a href="https://{{ user.name }}/">x</a>', 'address_output'],
  ['<a href="https://x.example/?q={{ code | url_encode }}">x</a>', undefined],
  ['<a href="mailto:{{ app.supportEmail }}">x</a>', undefined],
  ['<img src="{{ app.logoUrl }}" alt="">', undefined],
  ['<img src="{{ app.logoUrl }}{{ user.name }}" alt="">', 'address_output'],
  ['<img src="{{ user.name }}" alt="">', 'address_output'],
  ['<a href="javascript:alert(1)">x</a>', 'dangerous_address'],
  ['<a href=" java&#10;script&colon;alert(1)">x</a>', 'dangerous_address'],
  ['<a href="data:text/html,x">x</a>', 'dangerous_address'],
  ['<p style="color:{{ app.primaryColor }}">x</p>', undefined],
  ['<p style="color:{{ user.name }}">x</p>', 'style_output'],
  ['<p style="background:url(https://x.example/pixel.gif)">x</p>', 'style_load'],
  ['<style>p{color:{{ user.name }}}</style>', 'style_output'],
  ['<style>@import "https://x.example/x.css"</style>', 'style_load'],
  ['<script>1</script>', 'forbidden_element'],
  ['<form action="/"></form>', 'forbidden_element'],
  ['<iframe srcdoc="x"></iframe>', 'forbidden_element'],
  ['<p onclick="x()">x</p>', 'handler'],
  ['<p ONCLICK=x()>x</p>', 'handler'],
  ['<!-- {{ user.name }} -->', 'comment_output'],
  ['<meta http-equiv="refresh" content="0;url=https://x.example">', 'refresh'],
  ['<base href="https://x.example/">', 'forbidden_element'],
  ['<svg><script>1</script></svg>', 'forbidden_element'],
  ['<img srcset="{{ user.name }} 2x" alt="">', 'forbidden_attribute'],
  ['<p {% if ip %}title="{{ ip }}"{% endif %}>x</p>', undefined],
  ['<a {% if ip %}href="{% endif %}{{ ip }}">x</a>', 'address_output'],
]
test.each(contexts)('%s is told: %s', (html, code) => {
  const [finding] = checkContexts(html, variablesOf('verification_code_link_account'))
  expect(finding?.code).toBe(code)
})

test('a fault names its place', () => {
  try {
    parseLiquid('one\ntwo {{ three | four }}', 'html')
    expect.unreachable()
  } catch (error) {
    expect(liquidFault(error)).toEqual({ message: 'undefined filter: four', line: 2, column: 5 })
  }
})

test.each([
  'Ada https://evil.example',
  'win.evil.example',
  'a@b.example',
  'www evil',
  'x\\y',
  'win4.io',
  'evil．example',
  'evil。example',
  'evil\u200b.example',
  'a＠b',
  'Call 1 (800) 555-0199',
  'Ring ８００５５５０１９９',
])('the name %j greets nobody: mail programs would make a link of it', (userName) => {
  const at = new Date('2026-06-01T12:00:00Z')
  const app = { name: 'x', settings: { branding: {} } } as any
  expect(valuesOf(app, { userName }, { locale: 'en', at, expiresAt: null }).user.name).toBe('')
})

test.each(['Dr. J. R. Smith', 'Ἀλέξανδρος', '山田 太郎', "D'Arcy-Müller", 'user123456', 'Zoë 🚀', '🚀'.repeat(40)])(
  'the name %j is greeted',
  (userName) => {
    const at = new Date('2026-06-01T12:00:00Z')
    const app = { name: 'x', settings: { branding: {} } } as any
    const { name } = valuesOf(app, { userName }, { locale: 'en', at, expiresAt: null }).user
    expect(userName.startsWith(name) && name !== '' && name.isWellFormed()).toBe(true)
  },
)
