import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RequestHandler } from 'express'
import { findByKey } from '#server/app/app.ts'
import { appSettings } from '#server/app/settings.ts'
import { listAllApps } from '#server/app/store.ts'
import type { Runtime } from '#server/runtime.ts'

const FRESH_MS = 2_000

/** The app that a path names, as the router reads it; undefined where it names none. */
function appKey(url: string): string | undefined {
  const key = /^\/v1\/apps\/([^/?]+)\//i.exec(url)?.[1]
  try {
    return key && decodeURIComponent(key)
  } catch {
    // The router will say so.
    return key
  }
}

/** Says in the answer whether the page that calls may read it. True when its origin is one that is listed. */
export type Cors = (request: IncomingMessage, response: ServerResponse, url: string) => Promise<boolean>

/**
 * Lets the web pages of an app call the public API: the Origin must be, byte for byte, one that the app lists. On paths that do not
 * name the app the bearer token does, so there any app's origin may ask; a token is never sent by itself, as a cookie would be.
 */
export function createCors(runtime: Runtime): Cors {
  let known: { at: number; origins: Set<string> } | undefined

  async function anyOrigin(): Promise<Set<string>> {
    if (known && performance.now() - known.at < FRESH_MS) return known.origins
    const apps = await listAllApps(runtime.db)
    const origins = new Set(
      apps.filter((app) => !app.disabled).flatMap((app) => appSettings.parse(JSON.parse(app.settings)).allowedOrigins),
    )
    known = { at: performance.now(), origins }
    return origins
  }

  return async (request, response, url) => {
    const origin = request.headers.origin!
    response.setHeader('vary', 'Origin')
    const key = appKey(url)
    const permitted =
      key === undefined
        ? (await anyOrigin()).has(origin)
        : (await findByKey(runtime, key))?.settings.allowedOrigins.includes(origin) === true
    if (permitted) {
      response.setHeader('access-control-allow-origin', origin)
      response.setHeader('access-control-expose-headers', 'RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate')
    }
    return permitted
  }
}

/** The same for Express, with answers to the question that a browser asks before. */
export const cors =
  (allow: Cors): RequestHandler =>
  async (request, response, next) => {
    if (request.headers.origin === undefined || !request.url.startsWith('/v1/')) return next()
    const permitted = await allow(request, response, request.originalUrl)
    if (request.method !== 'OPTIONS') return next()
    if (permitted) {
      response.setHeader('access-control-allow-methods', 'GET, POST, PUT, PATCH, DELETE')
      response.setHeader(
        'access-control-allow-headers',
        'authorization, content-type, idempotency-key, gatehouse-challenge',
      )
      response.setHeader('access-control-max-age', '600')
    }
    response.status(204).end()
  }
