/** Why a call out brought no answer. */
export type FaultCode =
  | 'url_invalid'
  | 'address_refused'
  | 'name_not_found'
  | 'name_failed'
  | 'connect_refused'
  | 'connect_timeout'
  | 'connection_lost'
  | 'tls_failed'
  | 'timed_out'
  | 'too_large'
  | 'http_invalid'
  | 'aborted'
  | 'failed'

export type Fault = { fault: FaultCode; reason: string }

/** What an error of the network means, as code and as a sentence for the operator who has to mend it. */
export function faultOf(error: unknown, host: string): Fault {
  const { code = '', name, message } = root(error)
  if (code === 'ADDRESS_REFUSED') return { fault: 'address_refused', reason: message }
  switch (code) {
    case 'ENOTFOUND':
    case 'ENODATA':
      return { fault: 'name_not_found', reason: `There is no host named ${host}` }
    case 'EAI_AGAIN':
    case 'ESERVFAIL':
    case 'ETIMEOUT':
    case 'ECANCELLED':
      return { fault: 'name_failed', reason: `The name servers do not answer for ${host}` }
    case 'ECONNREFUSED':
      return { fault: 'connect_refused', reason: `${host} refuses the connection; nothing listens on that port` }
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return { fault: 'connect_refused', reason: `There is no way to ${host} from here` }
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return { fault: 'connect_timeout', reason: `${host} does not answer to connecting` }
    case 'ECONNRESET':
    case 'EPIPE':
    case 'UND_ERR_SOCKET':
      return { fault: 'connection_lost', reason: `${host} closed the connection before it had answered` }
    case 'UND_ERR_HEADERS_OVERFLOW':
      return { fault: 'too_large', reason: `The headers of ${host} are larger than 16 KiB` }
  }
  if (name === 'HTTPParserError' || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH')
    return { fault: 'http_invalid', reason: `${host} does not answer as HTTP says` }
  if (isTls(code)) return { fault: 'tls_failed', reason: `The certificate or TLS of ${host} is not accepted: ${code}` }
  if (code === 'UND_ERR_INVALID_ARG') return { fault: 'url_invalid', reason: message }
  return { fault: 'failed', reason: `Calling ${host} failed${code && ` (${code})`}` }
}

/** With several addresses tried, the first failure stands for all. */
function root(error: unknown): { code?: string; name: string; message: string } {
  const first =
    error instanceof AggregateError && error.errors.length > 0 ? (error.errors[0] as Error) : (error as Error)
  const { code } = first as { code?: unknown }
  return { name: first.name, message: first.message, ...(typeof code === 'string' && { code }) }
}

const isTls = (code: string) =>
  /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_OSSL_|EPROTO$|HOSTNAME_MISMATCH|INVALID_CA)/.test(
    code,
  )
