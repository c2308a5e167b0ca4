import PostalMime from 'postal-mime'

/** What a mail server reported later of one mail. */
export type DeliveryStatus = {
  /** Our own number of the mail, as it stands in what we sent. */
  ref: string
  action: string
  /** RFC 3463, such as 5.1.1. */
  status: string
  /** The server's words. */
  detail: string
}

/**
 * Reads a delivery status notification (RFC 3464), the message that a mail server sends back when a mail that it took could not be delivered. Which mail it is about is taken
 * from the envelope's id (RFC 3461 §4.4) or from the headers that came back, never from the address alone, for anybody can write such a message.
 * @returns undefined when it is none, or about no mail of ours
 */
export async function readDeliveryStatus(source: string): Promise<DeliveryStatus | undefined> {
  const parts = await partsOf(source)
  const report = parts.find(({ type }) => /^message\/(global-)?delivery-status$/.test(type))
  const [about, ...recipients] = groupsOf(report?.text ?? '').map(fieldsOf)
  const recipient = recipients.find((fields) => fields.get('action') === 'failed') ?? recipients[0]
  const status = /\d\.\d{1,3}\.\d{1,3}/.exec(recipient?.get('status') ?? '')?.[0]
  const returned = parts
    .filter(({ type }) => /^(message\/(global|rfc822)|text\/rfc822-headers|message\/global-headers)$/.test(type))
    .map(({ text }) => fieldsOf(groupsOf(text)[0] ?? []))
  const ref = [
    about?.get('original-envelope-id'),
    ...returned.flatMap((fields) => [fields.get('x-entity-ref-id'), fields.get('message-id')]),
  ]
    .map((text) => /\beml_[a-z0-9]+\b/.exec(text ?? '')?.[0])
    .find((text) => text !== undefined)
  if (!recipient || status === undefined || ref === undefined) return undefined
  const action = recipient.get('action')!.toLowerCase()
  return { ref, action, status, detail: recipient.get('diagnostic-code')?.replace(/^smtp *; */i, '') ?? '' }
}

/** What matters stands at the beginning, and parsing costs time by the line. */
const MOST_CHARACTERS = 100_000
const MOST_LINES = 3_000

async function partsOf(source: string): Promise<{ type: string; text: string }[]> {
  try {
    const limits = { maxNestingDepth: 10, maxHeadersSize: 100_000 }
    const head = source.slice(0, MOST_CHARACTERS).split('\n', MOST_LINES).join('\n')
    const mail = await PostalMime.parse(head, { ...limits, forceRfc822Attachments: true, attachmentEncoding: 'utf8' })
    return mail.attachments.map(({ mimeType, content }) => ({
      type: mimeType.toLowerCase(),
      text: typeof content === 'string' ? content.replaceAll('\r\n', '\n') : '',
    }))
  } catch {
    // Deeper or longer than any mail server writes.
    return []
  }
}

/** Lines between blank lines. */
function groupsOf(text: string): string[][] {
  const groups: string[][] = []
  let isOpen = false
  for (const line of text.split('\n')) {
    if (line.trim() === '') isOpen = false
    else if (isOpen) groups.at(-1)!.push(line)
    else isOpen = groups.push([line]) > 0
  }
  return groups
}

/** Fields by lower-case name, unfolded. */
function fieldsOf(lines: string[]): Map<string, string> {
  const whole: string[][] = []
  for (const line of lines)
    if (/^[ \t]/.test(line) && whole.length > 0) whole.at(-1)!.push(line.trim())
    else whole.push([line])
  return new Map(
    whole.map((parts) => {
      const text = parts.join(' ')
      const colon = text.indexOf(':')
      return [text.slice(0, Math.max(colon, 0)).trim().toLowerCase(), text.slice(colon + 1).trim()] as const
    }),
  )
}
