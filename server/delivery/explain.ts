/** Why an attempt ended as it did, for people; the words that come with it say what to do. */
const sentences: Record<string, string> = {
  ok: 'The receiver took it',
  http_1xx: 'The receiver answered something that is no answer; look at what stands between',
  http_3xx: 'The receiver answered with a redirect, which is never followed; enter the address it points to',
  http_4xx: 'The receiver refused it; look at its answer below',
  http_5xx: 'The receiver failed while it handled the event; look at its answer and its log',
  name_not_found: 'The host name does not exist; check the URL for a typing error, and the DNS record',
  name_failed: 'The host name could not be looked up; the name servers did not answer',
  connect_refused:
    'Nothing listens at that address and port; is the receiver running, and does the firewall let it be reached?',
  connect_timeout: 'No connection came about in time; a firewall drops the packets, or the host is down',
  connection_lost: 'The receiver closed the connection before it had answered',
  tls_failed: 'The secure connection failed; the certificate is expired, self-signed or for another name',
  timed_out: 'The receiver did not finish its answer in time; answer first and do the work afterwards',
  too_large: 'The headers of the answer are larger than 16 KiB',
  http_invalid: 'The answer is not valid HTTP',
  url_invalid: 'The URL cannot be called; see what is said of it below',
  address_refused:
    'The address is not a public one and was not called; allow its network with GATEHOUSE_ALLOW_NETWORKS if it is yours',
  failed: 'The call failed; see what is said of it below',
  internal: 'Something went wrong on our side; this try does not count',
  endpoint_off: 'The endpoint is paused or disabled; this is held until it is switched on again',
  endpoint_removed: 'The endpoint was removed before this was sent',
  preference: 'The person switched this off',
  no_bot: 'The app has no bot token, so its bot can write to nobody',
  no_telegram: 'The person never signed in with Telegram, so there is no chat to write to',
  unreachable: 'The person has blocked the bot, or never started it',
  no_email: 'No e-mail address of the person is known',
  email_unverified:
    'The person wrote their address down themselves, and no login vouches for it, so nothing is sent there',
  mail_put_off: 'The mail server put it off, or could not be reached; it is tried again',
  mail_kept: 'The mail was kept here, because no SMTP_URL is set; it can be read under Mails',
  mail_bounced:
    'The mail server said that there is no such mailbox; nothing more goes there until it is let again under Mails',
  mail_suppressed: 'This address refused mail before, so none is sent there; it can be let again under Mails',
  mail_refused: 'The mail server refused the mail; see its answer below',
  mail_gave_up: 'The mail server put it off six times, so it was given up',
  mail_undeliverable: 'The mail came back, because nothing arrives at that address now; it rests for a week',
  mail_unconfirmed:
    'The connection broke after the mail was handed over, so it may have arrived; it is not sent again by itself',
  rate_limited: 'Telegram asked to wait; it goes out when that time is over',
}

const statuses: Record<number, string> = {
  400: 'The receiver could not read the request (400)',
  401: 'The receiver wants credentials (401); check the signing secret and the headers of the endpoint',
  403: 'The receiver refused access (403); check the signing secret, the headers, and its list of allowed addresses',
  404: 'There is nothing at that path (404); check the URL',
  405: 'The receiver takes no POST at that path (405); check the URL',
  408: 'The receiver gave up waiting for the request (408)',
  410: 'The receiver said that this endpoint is gone for good (410), so it was disabled',
  413: 'The event is too large for the receiver (413); raise its limit to 64 KiB',
  429: 'The receiver asked for fewer events (429); lower the rate of the endpoint',
  502: 'A proxy in front of the receiver did not reach it (502)',
  503: 'The receiver is not available (503)',
  504: 'A proxy in front of the receiver waited too long for it (504)',
}

/** A plain sentence on the outcome of an attempt, or on why nothing was sent. */
export function explainOutcome(outcome: string | null, status?: number | null): string {
  // What mail servers answer are other numbers than HTTP's.
  if (status !== undefined && status !== null && statuses[status] && !outcome?.startsWith('mail_'))
    return statuses[status]
  return sentences[outcome ?? ''] ?? 'It was not taken'
}
