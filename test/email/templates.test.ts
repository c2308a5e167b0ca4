import { expect, test } from 'vitest'
import { builtin } from '../../server/email/builtin.ts'
import { brandedApp, mailRow, queueMail } from '../support/mail.ts'
import { operatorToken } from '../support/operator.ts'
import { call, startServer, type TestServer } from '../support/server.ts'
import { startSmtp } from '../support/smtp.ts'

const KIND = 'signature_updated'

async function setUp(env: Record<string, string> = {}) {
  const server = await startServer({ env })
  const app = await brandedApp(server)
  const token = await operatorToken(server)
  const path = `/api/v1/apps/${app.publicId}/email-templates/${KIND}`
  const ask = (method: string, more = '', body?: object) =>
    call(server, method, path + more, { token, ...(body && { body }) })
  return { server, app, token, path, ask }
}
const content = { ...builtin(KIND, 'en'), subject: 'Changed at {{ app.name }}' }

test('a draft changes no mail; publishing does, and going back takes the built-in one again', async () => {
  const { server, app, ask } = await setUp()
  const subjectOf = async () => {
    const id = await queueMail(server, { app, kind: KIND })
    await server.runtime.mailer.pass()
    const row = await mailRow(server, id)
    return (JSON.parse(server.runtime.vault.open(row.contentSealed!, 'emails.content')) as any).letter.subject
  }
  expect((await ask('GET')).body).toMatchObject({ source: 'builtin', revision: 0, draft: null, locale: 'en' })
  const draft = await ask('PUT', '', { content, revision: 0 })
  expect(draft.body).toMatchObject({ source: 'builtin', hasDraft: true, revision: 1 })
  expect(await subjectOf()).toBe('Your TON Quest signature was changed')
  expect((await ask('PUT', '?locale=en', { content, publish: true, revision: 1 })).body).toMatchObject({
    source: 'own',
    published: 1,
    hasDraft: false,
    revision: 2,
  })
  expect(await subjectOf()).toBe('Changed at TON Quest')
  expect((await ask('DELETE', '?locale=en')).status).toBe(204)
  expect(await subjectOf()).toBe('Your TON Quest signature was changed')
  expect((await ask('GET', '/versions')).body['items']).toMatchObject([{ number: 1, current: false }])
  expect((await ask('POST', '/versions/1/restore', { revision: 3 })).body).toMatchObject({ published: 2 })
  expect(await subjectOf()).toBe('Changed at TON Quest')
  expect((await ask('GET', '/versions')).body['items'][0]).toMatchObject({ number: 2, restoredFrom: 1, current: true })
})

test('two people do not overwrite each other', async () => {
  const { ask } = await setUp()
  const both = await Promise.all([
    ask('PUT', '', { content, revision: 0 }),
    ask('PUT', '', { content: { ...content, subject: 'Other' }, revision: 0 }),
  ])
  expect(both.map(({ status }) => status).sort()).toEqual([200, 409])
  expect((await ask('PUT', '', { content, revision: 0 })).body['code']).toBe('conflict')
})

test('what does not hold is not published, with every fault and its place, and can be kept as a draft', async () => {
  const { ask } = await setUp()
  const broken = {
    ...content,
    html: content.html.replace('{{ app.copyright }}', '{{ app.copyrigth }}').replace('href="mailto:', 'href="'),
  }
  const refused = await ask('PUT', '', { content: broken, publish: true, revision: 0 })
  expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
  const paths = refused.body['errors'].map((fault: any) => fault.message).join('\n')
  expect(paths).toContain('There is no variable app.copyrigth')
  expect(paths).toContain('a value must not choose where a link leads')
  expect(refused.body['errors'][0].path).toMatch(/^html:\d+:\d+$/)
  expect((await ask('GET')).body).toMatchObject({ revision: 0 })
  expect((await ask('PUT', '', { content: broken, revision: 0 })).status).toBe(200)
})

test.each([
  ['logo', (html: string) => html.replace(/<img[^>]*>/, '')],
  ['appName', (html: string) => html.replaceAll('{{ app.name }}', 'us')],
  ['supportEmail', (html: string) => html.replace('mailto:{{ app.supportEmail }}', 'https://quest.example/')],
  [
    'copyright',
    (html: string) => html.replace('{{ app.copyright }}', '<span style="display: none">{{ app.copyright }}</span>'),
  ],
])('a mail without its mark %s is refused', async (mark, spoil) => {
  const { ask } = await setUp()
  const { body } = await ask('POST', '/check', { content: { ...content, html: spoil(content.html) } })
  expect(body).toMatchObject({ ok: false })
  expect(body['marks'].filter((one: any) => one.state !== 'ok')).toMatchObject([{ name: mark, state: 'missing' }])
})

test('settings that hold no mark are told, and keep nobody from publishing', async () => {
  const server = await startServer()
  const app = await server.createApp({ name: 'Bare' })
  const token = await operatorToken(server)
  const { body } = await call(server, 'POST', `/api/v1/apps/${app.publicId}/email-templates/${KIND}/preview`, {
    token,
    body: {},
  })
  expect(body).toMatchObject({ ok: true })
  expect(body['marks'].filter((one: any) => one.state === 'unset').map((one: any) => one.name)).toEqual([
    'logo',
    'supportEmail',
    'sender',
  ])
  expect(body['mail'].html).toContain('© 2026 Bare')
})

test('preview answers the mail, or why there is none; hostile data changes nothing', async () => {
  const { ask } = await setUp()
  const fine = await ask('POST', '/preview', { content, locale: 'de', data: 'hostile' })
  expect(fine.body).toMatchObject({ ok: true, mail: { subject: 'Changed at TON Quest' } })
  expect(fine.body['mail'].html).not.toContain('<script')
  const broken = await ask('POST', '/preview', { content: { ...content, text: '{% if %}' } })
  expect(broken.body).toMatchObject({ ok: false, mail: null })
  expect(broken.body['findings']).toContainEqual(
    expect.objectContaining({ part: 'text', level: 'error', code: 'syntax', line: 1 }),
  )
})

test('the check knows mail programs; the built-in mails hold in all languages', async () => {
  const { ask } = await setUp()
  for (const locale of ['en', 'ru', 'zh-CN']) {
    const { body } = await ask('POST', '/check', { locale })
    expect(body).toMatchObject({ ok: true })
    expect(body['findings'].filter((one: any) => one.level !== 'note')).toEqual([])
  }
  const { body } = await ask('POST', '/check', {
    content: { ...content, html: content.html.replace('<h1', '<div style="display:grid">x</div><h1') },
  })
  expect(body['findings'].find((one: any) => /grid/.test(one.message))).toMatchObject({
    code: 'client',
    clients: expect.arrayContaining(['outlook.windows']),
  })
})

test('a test goes to who asks for it, as it is, and once', async () => {
  const smtp = await startSmtp()
  const { server, ask } = await setUp({ SMTP_URL: smtp.url })
  const { body } = await ask('POST', '/test', { content })
  expect(body['to']).toBe('owner@example.com')
  await server.runtime.mailer.pass()
  await server.runtime.mailer.pass()
  expect(smtp.received).toMatchObject([{ to: ['owner@example.com'], parsed: { subject: 'Changed at TON Quest' } }])
  const wrong = await ask('POST', '/test', { content: { ...content, html: '{{ nope }}' } })
  expect(wrong).toMatchObject({ status: 400, body: { errors: [{ path: 'html' }] } })
})

test('a published template that no longer holds gives way to the built-in one, and the operators are told once an hour', async () => {
  const { server, app, token, ask } = await setUp()
  const strict = {
    ...content,
    html: content.html.replace('{{ app.name }}</td>', 'TON Quest</td>').replaceAll('{{ app.name }}', 'TON Quest'),
    text: content.text.replaceAll('{{ app.name }}', 'TON Quest'),
  }
  expect((await ask('PUT', '', { content: strict, publish: true, revision: 0 })).status).toBe(200)
  await call(server, 'PATCH', `/api/v1/apps/${app.publicId}`, {
    token,
    body: { branding: { appName: 'Quest for TON' } },
  })
  const ids = [await queueMail(server, { app, kind: KIND }), await queueMail(server, { app, kind: KIND })]
  await server.runtime.mailer.pass()
  for (const id of ids)
    expect(await mailRow(server, id)).toMatchObject({
      status: 'kept',
      templateVersion: 0,
      fallback: expect.stringContaining('Quest for TON'),
    })
  const audit = await call(server, 'GET', '/api/v1/audit?action=email_template.fallback', { token })
  expect(audit.body['items']).toHaveLength(1)
  expect(server.logged()).toContain('a mail template does not hold')
})

test('a share link shows the draft without a login, runs nothing, and ends', async () => {
  const { server, ask } = await setUp()
  await ask('PUT', '', { content: { ...content, subject: 'Draft <b>one</b>' }, revision: 0 })
  const { body } = await ask('POST', '/share', { draft: true, hours: 2 })
  const path = new URL(body['url']).pathname
  const shown = await call(server, 'GET', path)
  expect(shown.status).toBe(200)
  expect(shown.headers.get('content-security-policy')).toMatch(/default-src 'none'.*sandbox; frame-ancestors 'none'/)
  expect(shown.body['text']).toContain('Draft &#60;b&#62;one')
  expect(shown.body['text']).not.toContain('<b>one')
  const changed = path.slice(0, -3) + (path.endsWith('AAA') ? 'BBB' : 'AAA')
  expect((await call(server, 'GET', changed)).status).toBe(404)
  expect((await call(server, 'GET', '/preview/x')).status).toBe(404)
  server.clock.pass(7200)
  expect((await call(server, 'GET', path)).status).toBe(404)
})

test('the frame lets only its own script run, only inside the console', async () => {
  const { server } = await setUp()
  const { headers } = await call(server, 'GET', '/preview/frame')
  const policy = headers.get('content-security-policy')!
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("frame-ancestors 'self'")
  expect(policy).toMatch(/script-src 'sha256-[^']+'(;|$)/)
  expect(headers.get('x-frame-options')).toBeNull()
})

const attempts: [string, string, object?][] = [
  ['PUT', '', { content, revision: 0 }],
  ['DELETE', ''],
  ['POST', '/test', {}],
  ['POST', '/share', {}],
  ['POST', '/versions/1/restore', { revision: 0 }],
]
test('viewers look and change nothing; operators of another app find nothing', async () => {
  const { server, path } = await setUp()
  const viewer = await operatorToken(server, 'viewer')
  expect((await call(server, 'GET', path, { token: viewer })).status).toBe(200)
  const other = await server.createApp({ name: 'Other' })
  const stranger = await operatorToken(server, 'admin', 'stranger@example.com', [other.id])
  for (const [method, more, body] of attempts) {
    const refused = async (token: string) =>
      (await call(server as TestServer, method, path + more, { token, ...(body && { body }) })).status
    expect(await refused(viewer), method + more).toBe(403)
    expect(await refused(stranger), method + more).toBe(404)
  }
  expect((await call(server, 'GET', path)).status).toBe(401)
})

test('a script that does not know the revision changes what there is, and one that does is refused when it is another', async () => {
  const { ask } = await setUp()
  expect((await ask('PUT', '', { content, publish: true })).body).toMatchObject({ revision: 1, published: 1 })
  expect((await ask('PUT', '', { content, publish: true })).body).toMatchObject({ revision: 2, published: 2 })
  expect((await ask('POST', '/versions/1/restore', {})).body).toMatchObject({ revision: 3, published: 3 })
  for (const revision of [0, 2, 4]) expect((await ask('PUT', '', { content, revision })).status).toBe(409)
  expect((await ask('PUT', '', { content, revision: 3 })).status).toBe(200)
})
