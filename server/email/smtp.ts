import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { createTransport } from 'nodemailer'
import DKIM from 'nodemailer/lib/dkim'
import type { Config } from '#server/config.ts'

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
   * Hands over one mail. `onHand` is awaited before the first byte of the mail is given away: from then on it may arrive even if nobody
   * tells us. Never throws.
   */
  send(envelope: { from: string; to: string }, source: Buffer, onHand: () => Promise<void>): Promise<Sent>
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
export function createSmtp(config: Pick<Config, 'smtpUrl' | 'dkim'>): Smtp | undefined {
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
  // have arrived.
  transport.use('stream', (mail, done) => {
    const { bytes } = mail.data as { bytes?: () => AsyncIterable<Buffer> }
    if (bytes) mail.message.createReadStream = () => Readable.from(bytes(), { objectMode: false }) as never
    done()
  })
  return {
    async send(envelope, source, onHand) {
      let handed = false
      let failed: unknown
      const signed = await sign(source)
      async function* bytes() {
        try {
          await onHand()
        } catch (error) {
          failed = error
          throw error
        }
        handed = true
        yield signed
      }
      try {
        const mail = { envelope: { ...envelope, to: [envelope.to] }, raw: '', bytes }
        const { response } = await transport.sendMail(mail)
        return { outcome: 'sent', status: statusOf(response), response: withoutAddress(words(response), envelope.to) }
      } catch (error) {
        if (failed) return { outcome: 'again', response: 'The database did not take the note that it is sent' }
        const sent = explain(error as SmtpError, handed)
        return { ...sent, response: withoutAddress(sent.response, envelope.to) }
      }
    },
    async verify() {
      try {
        await transport.verify()
        return undefined
      } catch (error) {
        return words((error as Error).message)
      }
    },
    close: () => transport.close(),
  }
}

type SmtpError = Error & { code?: string; command?: string; responseCode?: number; response?: string }

function explain(error: SmtpError, handed: boolean): Sent {
  const { responseCode: status, response = error.message, command } = error
  const said = { status, response: words(response) }
  if (status === undefined) {
    return { outcome: handed ? 'unconfirmed' : 'again', ...said }
  }
  if (status < 500) return { outcome: 'again', ...said }
  // Our own name and password are refused, not the mail: that can be mended, and the mail can wait for it.
  if (/^AUTH/.test(command ?? '') || error.code === 'EAUTH' || status === 530 || status === 535)
    return { outcome: 'again', ...said }
  return { outcome: isAboutAddress(command, response) ? 'bounced' : 'refused', ...said }
}

/** 5.1.x speaks of the address (RFC 3463 §3.2), 5.2.1 of a closed mailbox; without such a code a refused recipient does. */
function isAboutAddress(command: string | undefined, response: string): boolean {
  const [, subject, detail] = /\b5\.(\d{1,3})\.(\d{1,3})\b/.exec(response) ?? []
  if (subject !== undefined)
    return (subject === '1' && detail !== '7' && detail !== '8') || (subject === '2' && detail === '1')
  return command === 'RCPT TO'
}

const statusOf = (response: string): number | undefined => Number(/^\d{3}/.exec(response)?.[0]) || undefined

/** One line for the console and the log. */
const words = (text: string): string => text.replace(/[\p{Cc}\s]+/gu, ' ').slice(0, 500)

/** Servers repeat whom they refuse; the log and the app's endpoints need not know. */
function withoutAddress(text: string, address: string): string {
  const at = text.toLowerCase().indexOf(address.toLowerCase())
  return at < 0 ? text : withoutAddress(`${text.slice(0, at)}…${text.slice(at + address.length)}`, address)
}
