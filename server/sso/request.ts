import type { App } from '#server/app/app.ts'
import type { OutboundRequest } from '#server/http/outbound/outbound.ts'

/** The answer is a handful of claims (contract §5). */
const MOST_BYTES = 65_536

/**
 * The question to an app's tokenInfoURL whether a token holds. The app's own secret headers go with it.
 * @param url the app's tokenInfoURL
 */
export function tokenInfoRequest(app: App, url: string, token: string): OutboundRequest {
  const { method, tokenIn, timeoutMs } = app.settings.sso
  const [place, name = ''] = tokenIn.split(':')
  const request = {
    url: place === 'query' ? withQuery(url, name, token) : url,
    method,
    timeoutMs,
    maxBytes: MOST_BYTES,
    // Asking twice is no other than asking once.
    idempotent: true,
    lane: `sso ${app.id}`,
  }
  const headers = { accept: 'application/json', ...app.secrets.ssoHeaders }
  switch (place) {
    case 'bearer':
      return { ...request, headers: { ...headers, authorization: `Bearer ${token}` } }
    case 'form':
      return {
        ...request,
        headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams([[name, token]]).toString(),
      }
    case 'json':
      return {
        ...request,
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ [name]: token }),
      }
    default:
      return { ...request, headers }
  }
}

function withQuery(text: string, name: string, token: string): string {
  const url = new URL(text)
  url.searchParams.set(name, token)
  return url.toString()
}
