import type { ServerResponse } from 'node:http'

type Answer = { response: ServerResponse; text: string; encoding: BufferEncoding }

let waiting: Answer[] = []

/**
 * Ends a response, with its head written already, together with all others of this turn of the event loop. A client that sleeps is woken by the first of them and is
 * at work when the others come; woken for each alone, it costs the sender more than the whole check of a session.
 */
export function endWithTurn(response: ServerResponse, text: string, encoding: BufferEncoding): void {
  if (waiting.push({ response, text, encoding }) === 1) setImmediate(endAll)
}

function endAll(): void {
  const answers = waiting
  waiting = []
  for (const { response, text, encoding } of answers) response.end(text, encoding)
}
