import { parseExact } from './exactJson.ts'

/** The four members of Saakuru's format, in their order: the bytes that every attempt sends (contract §6). */
export function writePayload(told: {
  user: string
  title: string
  body: string
  op: string
  time: string
  /** Ready JSON. */
  content: string
}): string {
  const { user, title, body, op, time, content } = told
  const before = JSON.stringify({ user, title, body, data: { op, time } })
  return `${before.slice(0, -2)},"content":${content}}}`
}

export type Extension = { id: string; type: string; timestamp: Date; seq: number | null }

/** The same payload with Standard Webhooks' members before the four. What it adds never changes, so its bytes do not either. */
export function extendPayload(payload: string, { id, type, timestamp, seq }: Extension): string {
  const added = JSON.stringify({ id, type, timestamp: timestamp.toISOString(), ...(seq !== null && { seq }) })
  return `${added.slice(0, -1)},${payload.slice(1)}`
}

export type Payload = {
  user: string
  title: string
  body: string
  data: { op: string; time: string; content: unknown }
}

/** A payload's members; its numbers keep their digits when they are written as JSON again. */
export const readPayload = (payload: string): Payload => parseExact(payload) as Payload
