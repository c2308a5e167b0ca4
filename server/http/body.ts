import type { IncomingMessage } from 'node:http'
import { AppError } from '#server/error.ts'

const MOST_BYTES = 262_144

/** The whole body of a request. @throws AppError payload_too_large, invalid_request when it breaks off */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const body = await bodyOf(request)
  if (!body) throw new AppError('payload_too_large', 'The body is larger than 256 KiB')
  return body
}

/** What Express has read of a body already, else its JSON. */
export async function jsonOf(request: IncomingMessage): Promise<unknown> {
  return 'body' in request ? request.body : readJson(request)
}

/** A body of JSON: an object or an array, as `express.json` takes it. @throws AppError payload_too_large, invalid_request */
async function readJson(request: IncomingMessage): Promise<object> {
  const text = (await readBody(request)).toString('utf8').replace(/^\ufeff/, '')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw notJson()
  }
  if (typeof value !== 'object' || value === null) throw notJson()
  return value
}

const notJson = () => new AppError('invalid_request', 'The body is not valid JSON')

/** The whole body, or undefined when it is too large; what is too much is read and dropped. */
function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= MOST_BYTES) chunks.push(chunk)
    })
    request.on('error', (cause) => reject(new AppError('invalid_request', 'The request cannot be read', { cause })))
    request.on('end', () => {
      if (size > MOST_BYTES) resolve(undefined)
      else resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
    })
  })
}
