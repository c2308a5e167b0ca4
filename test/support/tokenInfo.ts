import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { call, startServer, type Answer, type TestServer } from './server.ts'
import type { App } from '../../server/app/app.ts'
import type { NewApp } from '../../server/app/settings.ts'

export type Asked = { method: string; url: string; headers: IncomingMessage['headers']; body: string }

export type TokenInfo = {
  url: string
  /** Every request it got. */
  asked: Asked[]
  /** What it answers from now on. */
  answer: (asked: Asked, response: ServerResponse) => void
  says(claims: unknown): void
}

/** An app's own server with a tokenInfoURL, as the app's developers would write one. */
export async function startTokenInfo(): Promise<TokenInfo> {
  const tokenInfo: TokenInfo = {
    url: '',
    asked: [],
    answer: (_asked, response) => response.writeHead(401).end(),
    says(claims) {
      tokenInfo.answer = (_asked, response) => answerJson(response, claims)
    },
  }
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      const asked = { method: request.method!, url: request.url!, headers: request.headers, body }
      tokenInfo.asked.push(asked)
      tokenInfo.answer(asked, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  tokenInfo.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/tokeninfo`
  return tokenInfo
}

export function answerJson(response: ServerResponse, body: unknown): void {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
}

/** What a good tokenInfoURL says of a good token. */
export function goodClaims(server: TestServer, more: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(server.clock.now.getTime() / 1000)
  return {
    sub: '987654321',
    iat: now - 60,
    exp: now + 600,
    email: 'ann@example.com',
    name: 'Ann',
    aud: 'tomo',
    ...more,
  }
}

export const openLoopback = { GATEHOUSE_ALLOW_NETWORKS: '127.0.0.1/32' }

/** A server, an app's tokenInfoURL that vouches for everybody, and the app. */
export async function startSso(
  input: Partial<NewApp> = {},
  options: Parameters<typeof startServer>[0] = {},
): Promise<{ server: TestServer; tokenInfo: TokenInfo; app: App }> {
  const server = await startServer({ ...options, env: { ...openLoopback, ...options.env } })
  const tokenInfo = await startTokenInfo()
  tokenInfo.says(goodClaims(server))
  const app = await server.createApp({
    ...input,
    sso: { tokenInfoUrl: tokenInfo.url, audiences: ['tomo'], ...input.sso },
  })
  return { server, tokenInfo, app }
}

export const ssoLogin = (server: { url: string }, app: { slug: string }, token = 'token-1'): Promise<Answer> =>
  call(server, 'POST', `/v1/apps/${app.slug}/sso/login`, { body: { token } })
