import type { App } from '#server/app/app.ts'
import type { Timings } from '#server/http/outbound/outbound.ts'
import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import { checkClaims, type ClaimCheck } from './claims.ts'
import { tokenInfoRequest } from './request.ts'
import { expectedOf, read } from './tokenInfo.ts'

const MOST_SHOWN = 4_096
const TOKEN = '‹token›'

export type Trial = {
  accepted: boolean
  /** In one sentence, why it would be refused or whom it would sign in. */
  verdict: string
  request: { method: string; url: string; headers: { name: string; value: string }[]; body: string | null }
  answer: { status: number; contentType: string | null; body: string; cut: boolean } | null
  checks: ClaimCheck[]
  timings: Timings
}

/**
 * Asks an app's tokenInfoURL about a token as a login would, and shows what went out, what came back and every check. Nobody is signed in, and the
 * circuit and what is remembered of tokens stay as they are. Neither the token nor a secret header is in the answer, also where the other server echoes them.
 */
export async function tryToken(runtime: Runtime, app: App, token: string): Promise<Trial> {
  const url = app.settings.sso.tokenInfoUrl
  if (url === null) throw new AppError('invalid_request', 'Save a token-info URL first')
  const { lane: _, ...request } = tokenInfoRequest(app, url, token)
  const answer = await runtime.outbound.request({ ...request, lane: `sso trial ${app.id}` })
  const hide = hider(app, token)
  const secret = new Set(Object.keys(app.secrets.ssoHeaders ?? {}))
  const shown = {
    request: {
      method: request.method ?? 'GET',
      url: hide(String(request.url)),
      headers: Object.entries(request.headers ?? {}).map(([name, value]) => ({
        name,
        value: secret.has(name) ? '••••••••' : hide(value),
      })),
      body: request.body === undefined ? null : hide(String(request.body)),
    },
    timings: answer.timings,
  }
  if ('fault' in answer) return { ...shown, accepted: false, verdict: answer.reason, answer: null, checks: [] }

  const body = hide(answer.body.toString('utf8'))
  const info = read(answer)
  const judged = info.kind === 'claims' ? checkClaims(info.claims, expectedOf(app, runtime.now())) : undefined
  return {
    ...shown,
    accepted: judged?.subject !== undefined,
    verdict:
      info.kind === 'refused'
        ? `It answered ${info.status}; only 200 vouches for a token`
        : info.kind === 'failed'
          ? info.reason
          : judged?.subject === undefined
            ? 'The claims do not hold'
            : `It would sign in ${hide(judged.subject)}`,
    answer: {
      status: answer.status,
      contentType: answer.headers['content-type'] ?? null,
      body: body.slice(0, MOST_SHOWN),
      cut: body.length > MOST_SHOWN,
    },
    checks: judged?.checks ?? [],
  }
}

/** Takes the token and the secrets out of a text, in the spellings in which they may stand there. */
function hider(app: App, token: string): (text: string) => string {
  const spellings = (text: string) => [text, encodeURIComponent(text), JSON.stringify(text).slice(1, -1)]
  const form = new URLSearchParams([['', token]]).toString().slice(1)
  const secrets = Object.values(app.secrets.ssoHeaders ?? {})
  return (text) => {
    let hidden = text
    for (const spelling of [...spellings(token), form]) hidden = hidden.replaceAll(spelling, TOKEN)
    for (const spelling of secrets.flatMap(spellings)) hidden = hidden.replaceAll(spelling, '••••••••')
    return hidden
  }
}
