import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { createTransport, type SendMailOptions } from 'nodemailer'
import DKIM from 'nodemailer/lib/dkim'
import type { Config } from '#server/config.ts'
import { said } from './said.ts'
import { verdictOf } from './verdict.ts'

/** What came of handing a mail to the server. */
export type Sent = {
  outcome: 'sent' | 'bounced' | 'refused' | 'again' | 'unconfirmed'
  /** The server's three-digit reply. */
  status?: number | undefined
  /** The server's words, or what kept us from hearing them. */
  response: string
}

export type Smtp = {
  /**
   * Hands over one mail. `onHand` is awaited when all of it is on its way but for the line that ends it, without which no server takes it
   * (RFC 5321 §4.1.1.4): from then on it may arrive even if nobody tells us. Never throws.
   */
  send(envelope: { from: string; to: string; id: string }, source: Buffer, onHand: () => Promise<void>): Promise<Sent>
  /** Whether the server answers and takes our name and password; the fault in words otherwise. */
  verify(): Promise<string | undefined>
  close(): void
}

/** The header fields of ours that DKIM vouches for: mail programs offer to unsubscribe only where both of its fields are among them (RFC 8058 §4). */
const SIGNED = [
  ...[
    'From',
    'Reply-To',
    'Subject',
    'Date',
    'Message-ID',
    'To',
    'MIME-Version',
    'Content-Type',
    'Content-Transfer-Encoding',
  ],
  ...['List-Unsubscribe', 'List-Unsubscribe-Post', 'Auto-Submitted'],
].join(':')

/** The server that SMTP_URL names, over a few connections that are kept open. */
export function createSmtp(config: Pick<Config, 'smtpUrl' | 'dkim' | 'smtpReturnPath'>): Smtp | undefined {
  if (!config.smtpUrl) return undefined
  const dkim = config.dkim && new DKIM({ ...config.dkim, headerFieldNames: SIGNED })
  const sign = async (source: Buffer): Promise<Buffer> => (dkim ? buffer(dkim.sign(source)) : source)
  const transport = createTransport({
    url: config.smtpUrl,
    pool: true,
    maxConnections: 4,
    maxMessages: 100,
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    socketTimeout: 30_000,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  // The pool reads a mail as soon as it has a connection; a mail that is read only when the server has asked for it tells the moment from which it may
  // have arrived: the end of the data is sent only when there is nothing more to read.
  transport.use('stream', (mail, done) => {
    const { bytes } = mail.data as { bytes?: () => AsyncIterable<Buffer> }
    if (bytes) mail.message.createReadStream = () => Readable.from(bytes(), { objectMode: false }) as never
    done()
  })
  return {
    async send({ from, to, id }, source, onHand) {
      let handed = false
      let failed: unknown
      const signed = await sign(source)
      async function* bytes() {
        yield signed
        try {
          await onHand()
        } catch (error) {
          failed = error
          throw error
        }
        handed = true
      }
      try {
        // A server that can (RFC 3461) sends the id and no more than the headers back when a mail bounces later.
        const dsn = { id, return: 'headers', notify: ['failure'] } as const
        const envelope = { from: config.smtpReturnPath ?? from, to: [to], dsn }
        const { response } = await transport.sendMail({ envelope, raw: '', bytes } as SendMailOptions)
        return { outcome: 'sent', status: statusOf(response), response: said(response, to) }
      } catch (error) {
        if (failed) return { outcome: 'again', response: 'The database did not take the note that it is sent' }
        const sent = explain(error as SmtpError, handed)
        return { ...sent, response: said(sent.response, to) }
      }
    },
    async verify() {
      try {
        await transport.verify()
        return undefined
      } catch (error) {
        return said((error as Error).message)
      }
    },
    close: () => transport.close(),
  }
}

type SmtpError = Error & { code?: string; command?: string; responseCode?: number; response?: string }

function explain(error: SmtpError, handed: boolean): Sent {
  const { responseCode: status, response = error.message, command } = error
  const told = { status, response }
  if (status === undefined) {
    return { outcome: handed ? 'unconfirmed' : 'again', ...told }
  }
  if (status < 500) return { outcome: 'again', ...told }
  // Our own name and password are refused, not the mail: that can be mended, and the mail can wait for it.
  if (/^AUTH/.test(command ?? '') || error.code === 'EAUTH' || status === 530 || status === 535)
    return { outcome: 'again', ...told }
  return { outcome: isAboutAddress(command, response) ? 'bounced' : 'refused', ...told }
}

/** Without a code that tells, a refused recipient speaks of the address. */
function isAboutAddress(command: string | undefined, response: string): boolean {
  const verdict = verdictOf(response)
  return verdict === undefined ? command === 'RCPT TO' : verdict === 'bad_address'
}

const statusOf = (response: string): number | undefined => Number(/^\d{3}/.exec(response)?.[0]) || undefined
