import { Resolver, lookup as systemLookup, type LookupAddress } from 'node:dns'
import { promisify } from 'node:util'

/** All addresses of a name. @throws Error with Node's `code`, such as ENOTFOUND */
export type Lookup = (name: string) => Promise<LookupAddress[]>

const system = promisify(systemLookup)

/**
 * Asks the name servers directly and only then the system. The system's resolver occupies one of the process's few threads for as long as a name
 * server keeps silent: a single app with a dead name server could hold up everything that computes there. Names that only the system knows (its
 * hosts file) wait for each other, one at a time.
 * @param servers name servers instead of the system's
 */
export function createLookup(servers?: string[]): Lookup {
  const resolver = new Resolver({ timeout: 1_500, tries: 2 })
  if (servers) resolver.setServers(servers)
  const resolve4 = promisify(resolver.resolve4.bind(resolver))
  const resolve6 = promisify(resolver.resolve6.bind(resolver))
  let queue: Promise<unknown> = Promise.resolve()

  return async (name) => {
    const [v4, v6] = await Promise.allSettled([resolve4(name), resolve6(name)])
    const found = [
      ...(v4.status === 'fulfilled' ? v4.value.map((address) => ({ address, family: 4 })) : []),
      ...(v6.status === 'fulfilled' ? v6.value.map((address) => ({ address, family: 6 })) : []),
    ]
    if (found.length > 0) return found
    const next = queue.then(() => system(name, { all: true }))
    queue = next.catch(() => undefined)
    return next
  }
}
