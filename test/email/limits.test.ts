import { expect, test } from 'vitest'
import { builtin } from '../../server/email/builtin.ts'
import { renderSoon } from '../../server/email/render.ts'
import { brandedApp } from '../support/mail.ts'
import { operatorToken } from '../support/operator.ts'
import { call, startServer, type TestServer } from '../support/server.ts'

// What somebody who may write templates could make the server do. Each is as long as a template may be.

const fill = (text: string, most = 98_000) => text.repeat(Math.floor(most / text.length))

const hostile: Record<string, string> = {
  'outputs that are not closed': fill('{{'),
  'tags that are not closed': fill('{%'),
  'many outputs': fill('{{ code }}'),
  'many outputs in elements': fill('<b>{{ code }}'),
  'many faults': fill('<a b={{ code }}>'),
  'many handlers': fill('<p onx=1>'),
  'outputs in one comment': `<!--${fill('{{ code }}')}`,
  'outputs in one attribute': `<p title="${fill('{{ code }}')}">`,
  'one long condition': `{% if code ${fill('and code ')}%}x{% endif %}`,
  'one long chain of filters': `{{ code ${fill('| upcase ')}}}`,
  'one long path': `{{ ${fill('a.')}b }}`,
  'deep conditions': `${fill('{% if code %}', 40_000)}x${fill('{% endif %}', 40_000)}`,
  'deep elements': fill('<div>'),
  'loops in loops': '{% for a in (1..9999) %}{% for b in (1..9999) %}{% endfor %}{% endfor %}',
  'loops in loops in every part': '{% for a in (1..9999) %}{% for b in (1..9999) %}x{% endfor %}{% endfor %}',
  'a range': '{% for a in (1..99999999999) %}x{% endfor %}',
  'doubling by append':
    "{% assign a = 'xxxxxxxx' %}{% for i in (1..60) %}{% assign a = a | append: a %}{% endfor %}{{ a }}",
  'growing by replace':
    "{% assign a = 'x' %}{% for i in (1..60) %}{% assign a = a | replace: 'x', 'xxxx' %}{% endfor %}{{ a }}",
  'growing by capture':
    '{% capture a %}{% for i in (1..100000) %}xxxxxxxxxx{% endfor %}{% endcapture %}{% for i in (1..1000) %}{{ a }}{% endfor %}',
  'much work for little':
    "{% for i in (1..1000000) %}{% assign b = 'x' | append: 'y' | upcase | slice: 0, 1 %}{% endfor %}",
  'entities in an address': `<a href="${fill('&#x6a;')}">`,
  'elements in a loop': '{% for i in (1..4000) %}<div>{% for j in (1..20) %}<b>{% endfor %}{% endfor %}',
  'many links': fill('<a href="http:x">'),
}

async function preview(server: TestServer, token: string, app: string, act: 'preview' | 'check', html: string) {
  const kind = 'verification_code_link_account'
  const base = builtin(kind, 'en')
  const everywhere = html.includes('every part') ? { subject: html, preheader: html, text: html } : {}
  const body = { content: { ...base, ...everywhere, html: `${html}{{ code }}` } }
  return call(server, 'POST', `/api/v1/apps/${app}/email-templates/${kind}/${act}`, { token, body })
}

test('no template holds the server up, grows without end or breaks a check', async () => {
  const server = await startServer()
  const app = await brandedApp(server)
  const token = await operatorToken(server)
  await preview(server, token, app.publicId, 'preview', 'warm')
  const before = process.memoryUsage().heapUsed
  let [slowest, which] = [0, '']
  for (const [name, html] of Object.entries(hostile)) {
    const began = performance.now()
    const answer = await preview(server, token, app.publicId, 'preview', html)
    const took = performance.now() - began
    if (took > slowest) [slowest, which] = [took, name]
    expect([name, answer.status, answer.body['ok'], took < 5_000]).toEqual([name, 200, false, true])
    expect(answer.body['findings'].length).toBeLessThanOrEqual(100)
    expect(JSON.stringify(answer.body).length).toBeLessThan(1_200_000)
  }
  const grown = (process.memoryUsage().heapUsed - before) / 2 ** 20
  console.log(
    `the slowest of ${Object.keys(hostile).length}: ${which}, ${slowest.toFixed(0)} ms; heap +${grown.toFixed(0)} MB`,
  )
  expect(grown).toBeLessThan(250)
}, 120_000)

test('comparing with mail programs never holds the server up, and goes on after a page that takes too long', async () => {
  const server = await startServer()
  const app = await brandedApp(server)
  const token = await operatorToken(server)
  const check = (html: string) => preview(server, token, app.publicId, 'check', html)
  const { html } = builtin('verification_code_link_account', 'en')
  let late = 0
  let last = performance.now()
  const pulse = setInterval(() => {
    late = Math.max(late, performance.now() - last)
    last = performance.now()
  }, 10)
  const answers = await Promise.all([check(`<style>${fill('a b{c:d}')}</style>`), check(fill('<div>')), check(html)])
  clearInterval(pulse)
  for (const { status } of answers) expect(status).toBe(200)
  const messages = answers.map(({ body }) => (body['findings'] as { message: string }[]).map(({ message }) => message))
  expect(messages[1]).toContainEqual(expect.stringContaining('could not be compared'))
  expect(messages[2]).toContainEqual(expect.stringMatching(/does nothing in \d of 8 mail programs/))
  expect(late).toBeLessThan(3_000)
}, 60_000)

test('a fault that stands in a template is told at once; only what took too long is tried once more', () => {
  const rendersOf = (html: string) => {
    let renders = 0
    const user = {
      get name() {
        renders++
        return 'Ada'
      },
    }
    const content = { ...builtin('signature_updated', 'en'), subject: 'x', preheader: 'x', html }
    expect(() => renderSoon(content, { user })).toThrow()
    return renders
  }
  expect(rendersOf('{{ user.name }}{{ user.nmae }}')).toBe(1)
  expect(rendersOf('{{ user.name }}{{ user.name | divided_by: 0 | x }}')).toBe(0)
  expect(
    rendersOf("{{ user.name }}{% for i in (1..900) %}{% assign a = a | default: 'x' | append: a %}{% endfor %}"),
  ).toBe(1)
  expect(rendersOf('{{ user.name }}{% for a in (1..999) %}{% for b in (1..9999) %}{% endfor %}{% endfor %}')).toBe(2)
})
