import { existsSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { explainSignature } from '../webhook/explainSignature.ts'
import { createChaosReceiver, help, type ChaosCall } from './receiver.ts'

/**
 * `npm run chaos-receiver`: a receiver of webhooks that goes wrong in every way there is, each at a path of its own. It prints what it gets, a line a call;
 * with a signing secret in the file that CHAOS_SECRET_FILE names it says whether the signature holds.
 */
const file = process.env['CHAOS_SECRET_FILE']
const secret = file !== undefined && existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined
const port = Number(process.env['PORT'] ?? 4000)

const server = createChaosReceiver((call) => process.stdout.write(`${JSON.stringify(describe(call))}\n`))
server.on('error', (error) => {
  process.stderr.write(`chaos receiver: ${error.message}\n`)
  process.exitCode = 1
})
server.listen(port, '127.0.0.1', () => {
  const { port: opened } = server.address() as AddressInfo
  process.stdout.write(`The chaos receiver listens on http://127.0.0.1:${opened}\n${help()}`)
  process.stdout.write('Gatehouse calls it with GATEHOUSE_ALLOW_NETWORKS=127.0.0.1/32\n')
})
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    server.closeAllConnections()
    server.close(() => process.exit(0))
  })

function describe({ method, path, headers, body }: ChaosCall) {
  const found = secret ? explainSignature({ headers, body }, secret, { now: new Date() }) : undefined
  return {
    ...{ at: new Date().toISOString(), method, path, id: headers['webhook-id'] ?? null, body: body.slice(0, 2_000) },
    ...(found && { signature: found.valid ? 'valid' : found.reason }),
  }
}
