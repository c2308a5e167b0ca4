import { mkdtempSync } from 'node:fs'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createApp } from '../../server/app/change.ts'
import type { App } from '../../server/app/app.ts'
import type { NewApp } from '../../server/app/settings.ts'
import { loadConfig } from '../../server/config.ts'
import { closeRuntime, createRuntime } from '../../server/createRuntime.ts'
import type { Lookup } from '../../server/http/outbound/lookup.ts'
import { createHttp, type MoreRoutes } from '../../server/http.ts'
import { cliActor } from '../../server/operator/audit.ts'
import type { Runtime } from '../../server/runtime.ts'
import { drain, serve } from '../../server/serve.ts'
import { freshDatabase } from './database.ts'

/** A clock that stands still until it is moved. */
export type Clock = { now: Date; pass(seconds: number): void }

export type TestServer = {
  url: string
  runtime: Runtime
  clock: Clock
  server: Server
  /** Everything the server logged, as text. */
  logged: () => string
  createApp(input?: Partial<NewApp>): Promise<App>
  stop(): Promise<void>
}

type Options = {
  env?: Record<string, string>
  now?: Date
  databaseUrl?: string
  lookup?: Lookup
  keep?: boolean
  more?: MoreRoutes
}

/** A real server on a port of its own, over a fresh database; stopped when the test ends. */
export async function startServer(options: Options = {}): Promise<TestServer> {
  const databaseUrl = options.databaseUrl ?? (await freshDatabase())
  const clock: Clock = {
    now: options.now ?? new Date('2026-06-01T12:00:00Z'),
    pass(seconds) {
      clock.now = new Date(clock.now.getTime() + seconds * 1000)
    },
  }
  const lines: string[] = []
  const config = loadConfig({
    DATABASE_URL: databaseUrl,
    GATEHOUSE_DATA_DIR: mkdtempSync(join(tmpdir(), 'gatehouse-data-')),
    GATEHOUSE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
    GATEHOUSE_PUBLIC_URL: 'http://localhost:3000',
    PORT: '0',
    LOG_LEVEL: 'debug',
    ...options.env,
  })
  const runtime = createRuntime(config, {
    now: () => clock.now,
    logTo: { write: (line) => void lines.push(line) },
    ...(options.lookup && { lookup: options.lookup }),
  })
  const { server, port } = await serve(createHttp(runtime, options.more), config)
  let stopped: Promise<void> | undefined
  const stop = () =>
    (stopped ??= drain(server, 1_000)
      .then(() => runtime.outbox.stop())
      .then(() => runtime.mailer.stop())
      .then(() => closeRuntime(runtime)))
  if (!options.keep) onTestFinished(stop)
  return {
    url: `http://127.0.0.1:${port}`,
    runtime,
    clock,
    server,
    logged: () => lines.join(''),
    createApp: (input = {}) => createApp(runtime, cliActor, { name: 'Ton Quest', ...input }),
    stop,
  }
}

export type Answer<T = Record<string, any>> = { status: number; headers: Headers; body: T }

/** One call, its answer read as JSON where it is some. */
export async function call(
  server: { url: string },
  method: string,
  path: string,
  options: { body?: unknown; token?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const response = await fetch(server.url + path, {
    method,
    headers: {
      ...(options.body !== undefined && { 'content-type': 'application/json' }),
      ...(options.token !== undefined && { authorization: `Bearer ${options.token}` }),
      ...options.headers,
    },
    ...(options.body !== undefined && {
      body: typeof options.body === 'string' ? options.body : JSON.stringify(options.body),
    }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json')
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : { text } }
}
