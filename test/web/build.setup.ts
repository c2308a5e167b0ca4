import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const web = fileURLToPath(new URL('../../web', import.meta.url))

/** Builds the console where its build is missing or older than what it is made of. */
export default function setup(): void {
  const built = `${web}/build/200.html`
  const sources = [`${web}/src`, `${web}/static`].flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) => `${entry.parentPath}/${entry.name}`),
  )
  const newest = Math.max(...[`${web}/vite.config.ts`, ...sources].map((path) => statSync(path).mtimeMs))
  if (existsSync(built) && statSync(built).mtimeMs > newest) return
  execFileSync(process.execPath, ['../node_modules/vite/bin/vite.js', 'build', '--logLevel', 'error'], {
    cwd: web,
    // Vitest runs as NODE_ENV=test, under which Vite would build for development.
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}
