import { domainToASCII } from 'node:url'

/** A domain as DNS knows it, at least two labels; international names in their ASCII form. */
const DOMAIN = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/
/** A dot-atom (RFC 5322 §3.2.3). Quoted local parts are legal, unused, and how headers are forged. */
const LOCAL = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i

/**
 * The address of nobody (RFC 6761 §6.4). What is queued for it costs what any mail does, up to the moment at which it would go to the mail server, and is
 * thrown away there: where an answer must not tell whether a person exists, nor may the time of what follows it.
 */
export const NOBODY = 'nobody@gatehouse.invalid'

/**
 * One mail address as SMTP takes it, its domain in lower case and ASCII (UTS #46), or undefined when the text is not exactly one such address
 * of at most 254 characters (RFC 5321 §4.5.3.1): no name before it, no list, no comment, no line break.
 */
export function parseAddress(text: string): string | undefined {
  const at = text.lastIndexOf('@')
  if (at < 1 || text.length > 254) return undefined
  const local = text.slice(0, at)
  if (local.length > 64 || !LOCAL.test(local)) return undefined
  const given = text.slice(at + 1)
  // The URL parser that turns a domain into ASCII drops tabs and line breaks in silence.
  if (/[\s\u0000-\u001f\u007f%/?#:@[\]\\]/.test(given)) return undefined
  const domain = domainToASCII(given).toLowerCase()
  return DOMAIN.test(domain) && local.length + 1 + domain.length <= 254 ? `${local}@${domain}` : undefined
}
