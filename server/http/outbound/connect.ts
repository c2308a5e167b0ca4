import type { LookupAddress } from 'node:dns'
import { isIP, type LookupFunction, type Socket } from 'node:net'
import { buildConnector } from 'undici'
import type { Guard } from './guard.ts'
import type { Lookup } from './lookup.ts'

const CONNECT_TIMEOUT_MS = 5_000

/** One connection as it came about: milliseconds of `performance.now()`, and whom it reached. */
export type Link = {
  begun: number
  named?: number
  connected?: number
  secured?: number
  remoteAddress: string | null
}

/**
 * Opens connections only to addresses the guard lets through. The judgement is made on the very addresses that are connected to: a name is resolved
 * once, here, and one bad answer refuses it (DNS rebinding); literals are judged too, which no lookup sees; and the open socket is asked once more.
 */
export function createConnect(guard: Guard | undefined, lookup: Lookup, onLink: (link: Link) => void) {
  return (options: buildConnector.Options, callback: buildConnector.Callback): void => {
    const link: Link = { begun: performance.now(), remoteAddress: null }
    onLink(link)
    const { hostname } = options
    const fault = isIP(hostname) ? guard?.(hostname) : undefined
    if (fault !== undefined) return void queueMicrotask(() => callback(refusal(`${hostname} ${fault}`), null))

    const connect = buildConnector({
      allowH2: false,
      timeout: CONNECT_TIMEOUT_MS,
      lookup: guarded(guard, lookup, () => (link.named = performance.now())),
    })
    // The type says void, but what comes back is the socket while it connects.
    const socket = connect(options, (error, connected) => {
      if (error) return callback(error, null)
      link.remoteAddress = connected.remoteAddress ?? null
      if (options.protocol === 'https:') link.secured = performance.now()
      else link.connected = performance.now()
      const late = guard?.(link.remoteAddress ?? '')
      if (late === undefined) return callback(null, connected)
      connected.destroy()
      callback(refusal(`${hostname} ${late}`), null)
    }) as unknown as Socket
    if (options.protocol === 'https:') socket.once('connect', () => (link.connected = performance.now()))
  }
}

function guarded(guard: Guard | undefined, lookup: Lookup, done: () => void): LookupFunction {
  return (name, options, callback) => {
    const judge = (found: LookupAddress[]): void => {
      done()
      for (const { address } of found) {
        const fault = guard?.(address)
        if (fault !== undefined) return callback(refusal(`${name} leads to ${address}, which ${fault}`), '')
      }
      if (options.all) callback(null, found)
      else callback(null, found[0]!.address, found[0]!.family)
    }
    lookup(name)
      .then(judge)
      .catch((error: NodeJS.ErrnoException) => callback(error, ''))
  }
}

const refusal = (reason: string) => Object.assign(new Error(reason), { code: 'ADDRESS_REFUSED' })
