import type { TestProject } from 'vitest/node'
import { startPostgres } from './embeddedPostgres.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string
  }
}

/** A real PostgreSQL server for the tests: started before the first, gone after the last. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { url, stop } = await startPostgres(['max_connections=300', 'fsync=off'])
  project.provide('postgresUrl', url)
  return stop
}
