import { call, type TestServer } from './server.ts'

export const pin = '2580'

/** The signature's calls, as an app makes them with a person's token. */
export function signatureCalls(server: TestServer, token: string) {
  const send = (method: string, path: string) => (body: unknown) =>
    call(server, method, `/v1/me/signature${path}`, { token, body })
  return {
    state: () => call(server, 'GET', '/v1/me/signature', { token }),
    set: send('PUT', ''),
    verify: send('POST', '/verify'),
    ask: send('PUT', '/recovery-questions'),
    reset: () => send('POST', '/reset')({}),
    confirm: send('POST', '/reset/confirm'),
  }
}
