import { expect, test } from 'vitest'
import { kinds, locales } from '../../server/email/kinds.ts'
import { brandedApp, branding, mailRow, queueMail } from '../support/mail.ts'
import { startServer } from '../support/server.ts'
import { startSmtp } from '../support/smtp.ts'

test('five mails in eight languages arrive through SMTP with all five marks, in HTML and text', async () => {
  const smtp = await startSmtp()
  const server = await startServer({ env: { SMTP_URL: smtp.url } })
  const app = await brandedApp(server)
  for (const kind of kinds)
    for (const locale of locales) await queueMail(server, { app, kind, locale, to: `${kind}.${locale}@example.org` })
  await server.runtime.mailer.pass()

  expect(smtp.received).toHaveLength(40)
  for (const { parsed, to, from, source } of smtp.received) {
    const [kind, locale] = to[0]!.split('@')[0]!.split('.') as [(typeof kinds)[number], string]
    const html = parsed.html as string
    const text = parsed.text!
    expect(html, to[0]).toContain(`<img src="${branding.logoUrl}" alt="${branding.appName}"`)
    for (const part of [html, text]) {
      expect(part, to[0]).toContain(branding.appName)
      expect(part, to[0]).toContain(branding.supportEmail)
      expect(part, to[0]).toContain(branding.copyright)
      expect(part.includes('493817'), to[0]).toBe(kind.startsWith('verification'))
      expect(part, to[0]).not.toMatch(/\{\{|\{%|\[\[|undefined|null|NaN/)
    }
    expect(html).toContain(`href="mailto:${branding.supportEmail}"`)
    expect(html).toContain(`lang="${locale}"`)
    expect(parsed.from!.value).toEqual([{ name: 'TON Quest Security', address: 'no-reply@quest.example' }])
    expect(from).toBe('no-reply@quest.example')
    expect(parsed.subject).toContain(branding.appName)
    expect(parsed.subject).not.toContain('493817')
    expect(parsed.headers.get('auto-submitted')).toBe('auto-generated')
    expect(parsed.headers.get('content-language')).toBe(locale)
    expect(parsed.replyTo!.text).toBe(branding.supportEmail)
    expect(parsed.headers.get('content-type')).toMatchObject({ value: 'multipart/alternative' })
    expect(parsed.headers.has('list-unsubscribe')).toBe(false)
    expect(Math.max(...source.split('\r\n').map((line) => line.length))).toBeLessThan(998)
    expect(html.match(/<img/g)).toHaveLength(1)
  }
  expect(new Set(smtp.received.map(({ parsed }) => parsed.messageId)).size).toBe(40)
  expect(new Set(smtp.received.map(({ parsed }) => parsed.subject)).size).toBeGreaterThan(38)
  expect(await mailRow(server, 1)).toMatchObject({ status: 'sent', templateVersion: 0, fallback: null })
  expect(server.logged()).not.toContain('493817')
  expect(server.logged()).not.toContain('@example.org')
})
