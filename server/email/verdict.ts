/** What a refusal says of an address: that it is none, that nothing arrives there now, or nothing, because the mail itself was not wanted. */
export type Verdict = 'bad_address' | 'unreachable' | 'mail_refused'

/**
 * Reads an enhanced status code (RFC 3463 §3). 5.1.x speaks of the address, but for .7 and .8 of the sender's, and 5.2.1 of a closed mailbox; other mailboxes (x.2.x), the
 * network (x.4.x) and everything that was only put off may be better another day; what is left (systems, content, policy) is about the mail. Undefined when there
 * is no such code.
 */
export function verdictOf(text: string): Verdict | undefined {
  const [, grade, subject, detail] = /(?:^|[^\d.])([45])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)/.exec(text) ?? []
  if (grade === undefined) return undefined
  if (grade === '5' && subject === '1' && detail !== '7' && detail !== '8') return 'bad_address'
  if (grade === '5' && subject === '2' && detail === '1') return 'bad_address'
  return grade === '4' || subject === '2' || subject === '4' ? 'unreachable' : 'mail_refused'
}
