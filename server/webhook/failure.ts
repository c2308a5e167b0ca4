export type Failure = {
  outcome: string
  /** What the network said, in one line. */
  detail: string
  remoteAddress?: string | undefined
  timings?: Record<string, number> | undefined
}

const outcomes: Record<string, string> = {
  ENOTFOUND: 'dns_nxdomain',
  ENODATA: 'dns_nxdomain',
  EAI_AGAIN: 'dns_error',
  ESERVFAIL: 'dns_error',
  ETIMEOUT: 'dns_error',
  ECONNREFUSED: 'connect_refused',
  EHOSTUNREACH: 'connect_refused',
  ENETUNREACH: 'connect_refused',
  ETIMEDOUT: 'connect_timeout',
  UND_ERR_CONNECT_TIMEOUT: 'connect_timeout',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  UND_ERR_SOCKET: 'reset',
  UND_ERR_ABORTED: 'timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  ABORT_ERR: 'timeout',
  EPROTO: 'tls',
}

/** What went wrong on the way to a receiver, as one of the log's words. */
export function failureOf(error: unknown): Failure {
  const { code, name, message = '', cause } = (error ?? {}) as Partial<Error> & { code?: unknown }
  const text = typeof code === 'string' ? code : ''
  const detail = `${text ? `${text}: ` : ''}${message}`.slice(0, 300)
  if (name === 'TimeoutError' || name === 'AbortError') return { outcome: 'timeout', detail }
  const outcome =
    outcomes[text] ??
    (/^(ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_SSL)/.test(text) ? 'tls' : undefined) ??
    (/^(HPE_|UND_ERR_(HTTP|RES|HEADERS_OVERFLOW|EXCEEDED))/.test(text) ? 'bad_answer' : undefined)
  if (outcome) return { outcome, detail }
  return cause !== undefined && cause !== error ? failureOf(cause) : { outcome: 'internal', detail }
}
