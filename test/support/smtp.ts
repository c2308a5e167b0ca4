import type { AddressInfo } from 'node:net'
import { simpleParser, type ParsedMail } from 'mailparser'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { onTestFinished } from 'vitest'

/** `dsn` is what the envelope asks of notifications (RFC 3461). */
export type Received = { from: string; to: string[]; dsn?: unknown; source: string; parsed: ParsedMail }

export type TestSmtp = {
  url: string
  received: Received[]
  stop(): Promise<void>
  /** Breaks every connection without a word. */ cut(): void
}

/** A real SMTP server that keeps what it takes; `options` may refuse. Gone when the test ends. */
export async function startSmtp(options: SMTPServerOptions & { port?: number } = {}): Promise<TestSmtp> {
  const { port = 0, ...more } = options
  const received: Received[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const source = Buffer.concat(chunks)
        const { mailFrom, rcptTo, dsn } = session.envelope
        void simpleParser(source).then((parsed) => {
          received.push({
            from: mailFrom ? mailFrom.address : '',
            to: rcptTo.map(({ address }) => address),
            dsn,
            source: source.toString('utf8'),
            parsed,
          })
          done()
        })
      })
    },
    ...more,
  })
  server.on('error', () => undefined)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  let stopped: Promise<void> | undefined
  const stop = () =>
    (stopped ??= new Promise<void>((resolve) => {
      server.close(resolve)
      // Idle connections are kept open by who sends, and close() would wait for them.
      cut()
    }))
  onTestFinished(stop)
  const cut = () => {
    const { connections } = server as unknown as { connections: Set<{ _socket: { destroy(): void } }> }
    for (const connection of connections) connection._socket.destroy()
  }
  return { url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`, received, stop, cut }
}

/** What an SMTP server refuses with. */
export const reply = (responseCode: number, message: string) => Object.assign(new Error(message), { responseCode })
