import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a target tells the bench when it is ready to be measured. */
export type Announcement = { url: string; [more: string]: unknown }

/** Tells the bench, over IPC, where this process listens. */
export function announce(server: Server, more: Record<string, unknown>): void {
  server.keepAliveTimeout = 60_000
  const { port } = server.address() as AddressInfo
  process.send!({ url: `http://127.0.0.1:${port}`, ...more })
}
