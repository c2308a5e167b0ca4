import { Cell } from '@ton/core'
import { addressOf } from './asset.ts'
import { readAmount } from './json.ts'

/** A message between accounts in either shape of the API. */
export type Message = {
  from: string | undefined
  to: string | undefined
  /** Undefined for one from outside the chain, which brings nothing. */
  value: string | undefined
  opcode: number | undefined
  comment: string | null
  bounced: boolean
}

const MOST_COMMENT = 1_000
const COMMENT = 0

type RawMessage = {
  source?: unknown
  destination?: unknown
  value?: unknown
  opcode?: unknown
  bounced?: unknown
  message?: unknown
  message_content?: { body?: unknown; decoded?: { '@type'?: unknown; comment?: unknown } | null } | null
  msg_data?: { '@type'?: unknown; body?: unknown; text?: unknown } | null
}

export function readMessage(value: unknown): Message | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const raw = value as RawMessage
  const from = addressOf(raw.source)
  const content = readContent(raw)
  return {
    from,
    to: addressOf(raw.destination),
    value: from === undefined ? undefined : readAmount(raw.value),
    ...content,
    bounced: raw.bounced === true || content.opcode === 0xffffffff,
  }
}

function readContent(raw: RawMessage): { opcode: number | undefined; comment: string | null } {
  const { decoded } = raw.message_content ?? {}
  const said = readOpcode(raw.opcode)
  if (decoded?.['@type'] === 'text_comment' && typeof decoded.comment === 'string')
    return { opcode: COMMENT, comment: plainComment(decoded.comment) }
  const data = raw.msg_data
  if (data?.['@type'] === 'msg.dataText' && typeof data.text === 'string')
    return { opcode: COMMENT, comment: plainComment(Buffer.from(data.text, 'base64').toString('utf8')) }
  const body = typeof raw.message_content?.body === 'string' ? raw.message_content.body : data?.body
  const read = typeof body === 'string' ? readBody(body) : undefined
  return { opcode: said ?? read?.opcode, comment: read?.comment ?? null }
}

/** 32 bits, which some write as text and some as a number, with a sign or without. */
function readOpcode(value: unknown): number | undefined {
  const opcode = typeof value === 'string' && value !== '' ? Number(value) : value
  return Number.isSafeInteger(opcode) ? (opcode as number) >>> 0 : undefined
}

/** The first 32 bits of a body, and the text behind them where they are zero (TEP-0). */
function readBody(boc: string): { opcode: number; comment: string | null } | undefined {
  if (boc === '' || boc.length > 16_384) return undefined
  try {
    const slice = Cell.fromBase64(boc).beginParse()
    if (slice.remainingBits < 32) return undefined
    const opcode = slice.loadUint(32)
    return { opcode, comment: opcode === COMMENT ? plainComment(slice.loadStringTail()) : null }
  } catch {
    // Anybody may send any bits; what is no text has no comment.
    return undefined
  }
}

/** A stranger's words: without control characters, and without what turns the direction of the text around them. */
export const plainComment = (text: string): string =>
  text
    .slice(0, MOST_COMMENT)
    .replaceAll(/[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]|(?![\n\t])\p{Cc}/gu, '')
    .toWellFormed()
