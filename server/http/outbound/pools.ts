import { Client, Pool, type Dispatcher } from 'undici'
import { createConnect, type Link } from './connect.ts'
import type { Guard } from './guard.ts'
import type { Lookup } from './lookup.ts'

/** Connections to one origin in one lane: more than an endpoint may be sent at once. */
const MOST_CONNECTIONS = 256
/** Pools with open connections. */
const MOST_ORIGINS = 1_000
const KEEP_ALIVE_MS = 10_000

/** What a request learns of the connection that carries it: set the moment it is given to one. */
export type Carried = { link?: () => Link | undefined }

export type Pools = {
  dispatch(
    origin: string,
    lane: string,
    options: Dispatcher.DispatchOptions,
    carried: Carried,
    handler: Dispatcher.DispatchHandler,
  ): void
  close(): Promise<void>
}

/** Kept-alive connections, a pool an origin and lane; those used longest ago are let go of first. */
export function createPools(guard: Guard | undefined, lookup: Lookup): Pools {
  const pools = new Map<string, Pool>()

  function poolOf(origin: string, lane: string): Pool {
    const key = `${origin} ${lane}`
    let pool = pools.get(key)
    if (pool) pools.delete(key)
    else {
      const oldest = pools.size >= MOST_ORIGINS ? pools.entries().next().value : undefined
      if (oldest) {
        pools.delete(oldest[0])
        void oldest[1].close()
      }
      pool = new Pool(origin, {
        connections: MOST_CONNECTIONS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        // One limit in all, set by each request, holds instead of one for each part of it.
        headersTimeout: 0,
        bodyTimeout: 0,
        allowH2: false,
        factory: (url, options) => connection(url, options, guard, lookup),
      })
    }
    pools.set(key, pool)
    return pool
  }

  return {
    dispatch(origin, lane, options, carried, handler) {
      poolOf(origin, lane).dispatch(Object.assign(options, { carried }), handler)
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()))
      pools.clear()
    },
  }
}

/** One connection, which tells each request it carries how it came about. */
function connection(url: URL, options: object, guard: Guard | undefined, lookup: Lookup): Dispatcher {
  let link: Link | undefined
  const client = new Client(url, { ...options, connect: createConnect(guard, lookup, (made) => (link = made)) })
  const dispatch = client.dispatch.bind(client)
  client.dispatch = (request, handler) => {
    const { carried } = request as { carried?: Carried }
    if (carried) carried.link = () => link
    return dispatch(request, handler)
  }
  return client
}
