import { expect, test } from 'vitest'
import { call, startServer } from '../support/server.ts'
import { operatorToken } from '../support/operator.ts'
import { signInWithTelegram, telegramApp } from '../support/signIn.ts'

const claims = {
  'x-forwarded-host': 'evil.example.com',
  'x-forwarded-proto': 'https',
  'x-forwarded-server': 'evil.example.com',
  'x-original-url': '/healthz',
  'x-rewrite-url': '/healthz',
  forwarded: 'host=evil.example.com;proto=https',
  origin: 'https://evil.example.com',
}

test('every link and issuer is of the public URL, whatever a request says of itself, the first one too', async () => {
  const server = await startServer({ env: { GATEHOUSE_PUBLIC_URL: 'https://auth.example.com' } })
  const app = await telegramApp(server)
  for (const path of [
    '/.well-known/openid-configuration',
    '/.well-known/oauth-authorization-server',
    '/api/openapi.json',
  ]) {
    const { body } = await call(server, 'GET', path, { headers: claims })
    expect(JSON.stringify(body)).toContain('https://auth.example.com')
    expect(JSON.stringify(body)).not.toContain('evil')
  }
  const login = await signInWithTelegram(server, app, undefined, claims)
  const [, payload] = login.body['accessToken'].split('.') as string[]
  const token = JSON.parse(Buffer.from(payload!, 'base64url').toString()) as Record<string, unknown>
  expect(token['iss']).toBe('https://auth.example.com')
  expect(JSON.stringify(token)).not.toContain('evil')

  const operator = await operatorToken(server)
  const shared = await call(server, 'POST', `/api/v1/apps/${app.publicId}/email-templates/signature_updated/share`, {
    token: operator,
    body: { locale: 'en' },
    headers: { ...claims, origin: 'https://auth.example.com' },
  })
  expect(shared.body['url']).toMatch(/^https:\/\/auth\.example\.com\/preview\//)
})

test('the console cookie is for this host alone, and plain where the public URL is', async () => {
  const cookieAt = async (publicUrl: string) => {
    const server = await startServer({ env: { GATEHOUSE_PUBLIC_URL: publicUrl } })
    await operatorToken(server, 'owner', 'ada@example.com')
    const body = { email: 'ada@example.com', password: 'correct horse battery staple' }
    const answer = await call(server, 'POST', '/trpc/auth.signIn', { body })
    return answer.headers.get('set-cookie')!.replace(/=gh_oc_[\w-]+/, '=…')
  }
  const secure = '__Host-gatehouse=…; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=43200'
  expect(await cookieAt('https://auth.example.com')).toBe(secure)
  expect(await cookieAt('http://localhost:3000')).toBe(secure)
  const plain = 'gatehouse=…; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200'
  expect(await cookieAt('http://auth.example.com')).toBe(plain)
})
