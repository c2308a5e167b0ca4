import { COUNTRY_HEADER, type Device } from './devices.ts'

/** What has happened so far; `unexpected` names the acts that were not answered as they should have been. */
export type Tally = { calls: number; unexpected: string[] }

export type Call = {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  from?: Device | undefined
  token?: string | undefined
  headers?: Record<string, string> | undefined
  json?: unknown
  form?: Record<string, string>
  /** The status it should answer; 200 unless given. */
  expect?: number | readonly number[]
}

/** What is answered is taken at its word: `T` is what the contract says of a call that succeeds. */
export type Answer<T = Record<string, unknown>> = { status: number; expected: boolean; body: T }

export type Client = { tally: Tally; call<T = Record<string, unknown>>(act: string, call: Call): Promise<Answer<T>> }

/** What a long-running demo remembers of what went wrong. */
const MOST_REMEMBERED = 100

/** Calls Gatehouse over HTTP as apps, their servers and operators do, each from an address and a browser of its own. */
export function createClient(url: string): Client {
  const tally: Tally = { calls: 0, unexpected: [] }
  return {
    tally,
    async call<T>(act: string, call: Call) {
      const answer = await send(url, call).catch((error: unknown) => unreachable(error))
      const { status, body } = answer
      const expected = [call.expect ?? 200].flat().includes(status)
      tally.calls++
      if (!expected && tally.unexpected.length < MOST_REMEMBERED) {
        tally.unexpected.push(`${act}: ${status} ${String(body['code'] ?? body['error'])}`)
      }
      return { status, expected, body: body as T }
    },
  }
}

type Raw = { status: number; body: Record<string, unknown> }

async function send(url: string, { method = 'POST', path, from, token, headers, json, form }: Call): Promise<Raw> {
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(from && { 'user-agent': from.userAgent, 'x-forwarded-for': from.ip }),
      ...(from?.country && { [COUNTRY_HEADER]: from.country }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(json !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(json !== undefined && { body: JSON.stringify(json) }),
    ...(form && { body: new URLSearchParams(form) }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json')
  return { status: response.status, body: isJson ? (JSON.parse(text) as Raw['body']) : {} }
}

/** A server that is stopping is no reason for the demo to fall over. */
const unreachable = (error: unknown): Raw => ({ status: 0, body: { error: String(error) } })
