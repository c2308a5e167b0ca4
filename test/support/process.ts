import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const cli = fileURLToPath(new URL('../../server/cli.mjs', import.meta.url))

export type Environment = Record<string, string>

/** A data directory and a database of a test's own, as the command line finds them in the environment. */
export function environment(databaseUrl: string, more: Environment = {}): Environment {
  return {
    PATH: process.env['PATH'] ?? '',
    DATABASE_URL: databaseUrl,
    GATEHOUSE_DATA_DIR: mkdtempSync(join(tmpdir(), 'gatehouse-cli-')),
    GATEHOUSE_PUBLIC_URL: 'http://localhost:3000',
    PORT: '0',
    ...more,
  }
}

export type Ran = { code: number | null; stdout: string; stderr: string; json: () => any }

/** Runs the real command line to its end. */
export async function gatehouse(env: Environment, args: string[], input = ''): Promise<Ran> {
  const child = spawn(process.execPath, [cli, ...args], { env })
  child.stdin.on('error', () => {}).end(input)
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)]
  const code = await ended(child)
  return { code, stdout: stdout(), stderr: stderr(), json: () => JSON.parse(stdout()) as unknown }
}

export type Serving = {
  url: string
  /** What it printed so far. */
  printed: () => string
  /** Sends a signal; the exit code once it has ended, null when the signal itself ended it. */
  end(signal: NodeJS.Signals): Promise<number | null>
  ended: Promise<number | null>
}

/** Starts `gatehouse serve` and waits until it listens; killed when the test ends. */
export async function startServing(env: Environment): Promise<Serving> {
  const child = spawn(process.execPath, [cli, 'serve'], { env })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)]
  const done = ended(child)
  const port = await new Promise<number>((resolve, reject) => {
    const look = () => {
      const [, port] = /"port":(\d+),"msg":"listening"/.exec(stdout()) ?? []
      if (port) resolve(Number(port))
    }
    child.stdout.on('data', look)
    void done.then((code) => reject(new Error(`ended with ${code}: ${stderr()}`)))
  })
  return {
    url: `http://127.0.0.1:${port}`,
    printed: stdout,
    end(signal) {
      child.kill(signal)
      return done
    },
    ended: done,
  }
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = ''
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return () => text
}

function ended(child: ChildProcessWithoutNullStreams): Promise<number | null> {
  return new Promise((resolve) => child.on('close', (code) => resolve(code)))
}
