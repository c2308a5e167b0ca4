import { spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { killAgainAndAgain, killInTurn, prepareKills, startKillReceiver } from '../test/support/kills.ts'

/**
 * `node bench/kills.ts 200`: kills a real server so many times at random points while events are accepted and delivered, and says whether anything
 * that was acknowledged is lost. `node bench/postgres.ts kills.ts 200` on PostgreSQL; with `--pair` two servers share the database and are killed in turn.
 */
const kills = Number(process.argv[2] ?? 200)
const pair = process.argv.includes('--pair')
const folder = mkdtempSync(join(tmpdir(), 'gatehouse-kills-'))
const cli = fileURLToPath(new URL('../server/cli.mjs', import.meta.url))
const env = {
  PATH: process.env['PATH'] ?? '',
  DATABASE_URL: process.env['DATABASE_URL'] ?? `file:${folder}/kills.db`,
  GATEHOUSE_DATA_DIR: folder,
  GATEHOUSE_PUBLIC_URL: 'http://localhost:3000',
  GATEHOUSE_ALLOW_NETWORKS: '127.0.0.1/32',
  GATEHOUSE_RATE_LIMITS: 'off',
  PORT: '0',
}

async function start() {
  const child = spawn(process.execPath, [cli, 'serve'], { env })
  const ended = new Promise((resolve) => child.on('close', resolve))
  let printed = ''
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
      const [, port] = /"port":(\d+),"msg":"listening"/.exec(printed) ?? []
      if (port) resolve(port)
    })
    child.stderr.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    void ended.then(() => reject(new Error(printed)))
  })
  return {
    url: `http://127.0.0.1:${port}`,
    kill() {
      child.kill('SIGKILL')
      return ended
    },
  }
}

async function command(args: string[], input = '') {
  const child = spawn(process.execPath, [cli, ...args], { env })
  let printed = ''
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  child.stdin.end(input)
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, json: () => JSON.parse(printed) as unknown }
}

const receiver = await startKillReceiver()
const first = await start()
const { path, key } = await prepareKills(command, first, receiver)
await first.kill()
const began = performance.now()
const result = await (pair ? killInTurn : killAgainAndAgain)({ start, path, key, receiver, kills, random: Math.random })
receiver.close()
const { acknowledged, delivered, lost, twice, differing } = result
console.log(
  `${kills} kills${pair ? ' of two servers in turn' : ''} in ${Math.round((performance.now() - began) / 1000)} s: ${acknowledged} events acknowledged, ${delivered} arrived, ${lost.length} lost, ${twice} delivered more than once, ${differing} of them with other bytes`,
)
process.exitCode = lost.length + differing > 0 ? 1 : 0
