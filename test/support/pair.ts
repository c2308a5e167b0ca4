import { freshDatabase } from './database.ts'
import { startServer, type TestServer } from './server.ts'

/** Two servers over one database, as behind a load balancer, their clocks moved together. */
export async function startPair(
  env: Record<string, string> = {},
): Promise<{ one: TestServer; two: TestServer; pass: (seconds: number) => void; databaseUrl: string }> {
  const databaseUrl = await freshDatabase()
  const [one, two] = [await startServer({ databaseUrl, env }), await startServer({ databaseUrl, env })]
  return {
    one,
    two,
    databaseUrl,
    pass(seconds) {
      one.clock.pass(seconds)
      two.clock.pass(seconds)
    },
  }
}
