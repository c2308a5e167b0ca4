#!/usr/bin/env node
// The command `gatehouse`. Gatehouse needs Node 24 and brings it along as a package: an older one hands over to that.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { install, isInstalled } from './install.mjs'

if (!isInstalled()) install()
if (Number(process.versions.node.split('.')[0]) >= 24) {
  await import('./cli.mjs')
} else {
  const cli = fileURLToPath(new URL('cli.mjs', import.meta.url))
  const node = join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin/node')
  const child = spawn(node, [cli, ...process.argv.slice(2)], { stdio: 'inherit' })
  // A signal for this process is meant for the one it stands in for; from a terminal both get it, and the second one would force the end.
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  process.on('SIGINT', () => {
    if (!process.stdin.isTTY) child.kill('SIGINT')
  })
  child.on('error', (error) => {
    process.stderr.write(`gatehouse: Node 24 cannot be started (${error.message}); run npm ci\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    } else process.exitCode = code ?? 1
  })
}
