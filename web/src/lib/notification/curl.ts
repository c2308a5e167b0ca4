import type { NotificationDetail } from '../api.ts'

type Delivery = NotificationDetail['deliveries'][number]
export type Attempt = Delivery['attempts'][number]

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

/** One try as a command: the same headers and bytes. Values of the endpoint's own headers are kept from the log, so they are left to be filled in. */
export function attemptAsCurl(request: NonNullable<Attempt['request']>): string {
  const headers = Object.entries(request.headers).map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`)
  return ['curl -i', quote(request.url), ...headers, `--data-raw ${quote(request.body)}`].join(' \\\n  ')
}
