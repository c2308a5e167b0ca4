import { createHmac, createPublicKey, createSecretKey, timingSafeEqual, verify } from 'node:crypto'
import { hmac, readSecret, signedContent } from './sign.ts'

export type SignatureCheck = { check: string; ok: boolean; detail: string }
export type SignatureFinding = { valid: boolean; reason?: string; checks: SignatureCheck[] }

const TOLERANCE_S = 300

/**
 * Checks a webhook as a receiver must (Standard Webhooks 1.0.0), step by step, and says which check fails and what is probably the matter.
 * @param secret `whsec_…` for v1 signatures, or the public key `whpk_…` for v1a
 */
export function explainSignature(
  received: { headers: Record<string, string>; body: string },
  secret: string,
  { now, tolerance = TOLERANCE_S }: { now: Date; tolerance?: number | undefined },
): SignatureFinding {
  const headers = new Map(
    Object.entries(received.headers).map(([name, value]) => [name.toLowerCase().trim(), value.trim()]),
  )
  const checks: SignatureCheck[] = []
  const note = (check: string, ok: boolean, detail: string) => {
    checks.push({ check, ok, detail })
    return ok
  }
  const finish = (): SignatureFinding => {
    const failed = checks.find(({ ok }) => !ok)
    return failed ? { valid: false, reason: failed.detail, checks } : { valid: true, checks }
  }

  const [id, time, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) =>
    headers.get(name),
  )
  for (const [name, value] of [
    ['webhook-id', id],
    ['webhook-timestamp', time],
    ['webhook-signature', signatures],
  ] as const)
    note(name, !!value, value ? `${name} is there` : `The header ${name} is missing`)
  if (!id || !time || !signatures) return finish()

  if (
    !note(
      'timestamp',
      /^\d{1,12}$/.test(time),
      `webhook-timestamp is ${/^\d{1,12}$/.test(time) ? 'a' : 'not a'} number of Unix seconds`,
    )
  )
    return finish()
  const age = Math.floor(now.getTime() / 1000) - Number(time)
  note(
    'age',
    Math.abs(age) <= tolerance,
    Math.abs(age) <= tolerance
      ? `It was sent ${Math.abs(age)} s ${age < 0 ? 'ahead of this clock' : 'ago'}`
      : `It was sent ${Math.abs(age)} s ${age < 0 ? 'ahead of this clock' : 'ago'}, more than the ${tolerance} s that are allowed; is a clock wrong, or is it a replay?`,
  )

  const key = /^whpk_/.test(secret) ? readPublicKey(secret) : readSecret(secret)
  const kind = /^whpk_/.test(secret) ? 'v1a' : 'v1'
  if (!key) {
    note('secret', false, 'The secret is neither whsec_ and 24 to 64 bytes in base64, nor a public key whpk_')
    return finish()
  }
  note('secret', true, `The secret is one for ${kind} signatures`)
  const offered = signatures.split(' ').flatMap((part) => {
    const [version, signature] = part.split(',', 2)
    return version === kind && signature ? [signature] : []
  })
  if (
    !note(
      'version',
      offered.length > 0,
      offered.length > 0
        ? `There are ${offered.length} ${kind} signatures`
        : `There is no ${kind} signature in webhook-signature`,
    )
  )
    return finish()

  const fits = (body: string, signature: string) => {
    const content = signedContent(id, Number(time), body)
    const given = Buffer.from(signature, 'base64')
    // One spelling only, as the libraries of receivers compare texts.
    if (given.toString('base64') !== signature) return false
    if (key.type === 'public') return given.length === 64 && verify(null, Buffer.from(content), key, given)
    const wanted = Buffer.from(hmac(key, content), 'base64')
    return given.length === wanted.length && timingSafeEqual(given, wanted)
  }
  const valid = offered.some((signature) => fits(received.body, signature))
  note('signature', valid, valid ? 'The signature fits' : guess(received.body, offered, fits, { id, time, secret }))
  return finish()
}

type Fits = (body: string, signature: string) => boolean

/** What receivers do wrong most often, tried out. */
function guess(
  body: string,
  offered: string[],
  fits: Fits,
  signed: { id: string; time: string; secret: string },
): string {
  const tried = (text: string) => offered.some((signature) => fits(text, signature))
  const compact = reserialised(body)
  if (compact !== undefined && compact !== body && tried(compact))
    return 'The signature fits the same JSON without its white space: the body was parsed and written anew. Check the bytes as they came'
  if (body !== body.trim() && tried(body.trim()))
    return 'The signature fits the body without the white space around it; it was added on the way'
  if (tried(`${body}\n`)) return 'The signature fits the body with a line break at its end; it was cut off on the way'
  const raw = createSecretKey(Buffer.from(signed.secret.replace(/^whsec_/, '')))
  const wrong = createHmac('sha256', raw)
    .update(signedContent(signed.id, Number(signed.time), body))
    .digest('base64')
  if (offered.includes(wrong))
    return 'It was signed with the text of the secret; decode it from base64 first, without whsec_'
  return 'No signature fits: it is the secret of another endpoint, one from before a rotation, or the body was changed on the way'
}

function reserialised(body: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(body))
  } catch {
    return undefined
  }
}

function readPublicKey(text: string) {
  const bytes = Buffer.from(text.slice('whpk_'.length), 'base64')
  if (bytes.length !== 32) return undefined
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') }, format: 'jwk' })
}

/**
 * Reads what somebody pasted: JSON `{headers, body}`, or an HTTP request as text, its headers up to the empty line.
 * Undefined when it is neither.
 */
export function readReceived(text: string): { headers: Record<string, string>; body: string } | undefined {
  try {
    const json = JSON.parse(text) as { headers?: unknown; body?: unknown }
    if (typeof json === 'object' && json !== null && typeof json.headers === 'object' && json.headers !== null)
      return {
        headers: Object.fromEntries(Object.entries(json.headers).map(([name, value]) => [name, String(value)])),
        body: typeof json.body === 'string' ? json.body : JSON.stringify(json.body ?? ''),
      }
  } catch {
    // Not JSON: a request as text.
  }
  const [, head, body] = /^([\s\S]*?)\r?\n\r?\n([\s\S]*)$/.exec(text) ?? []
  if (head === undefined || body === undefined) return undefined
  return { headers: readHeaders(head), body }
}

/** Header lines; a request line before them is passed over. */
export function readHeaders(text: string): Record<string, string> {
  const lines = text.split(/\r?\n/).flatMap((line) => {
    const [, name, value] = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line) ?? []
    return name === undefined ? [] : [[name.toLowerCase(), value!] as const]
  })
  return Object.fromEntries(lines)
}
