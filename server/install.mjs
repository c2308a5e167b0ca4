// Runs before anything is installed, on whatever Node the machine has (20 or newer): plain JavaScript without dependencies.
// Installs what package-lock.json names when it is not there; with --console, builds the console when its sources have changed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const lockFile = join(root, 'package-lock.json')
const installedMark = join(root, 'node_modules/.gatehouse-installed')
const builtMark = join(root, 'web/build/.source-hash')

/** Whether the packages are those of the lock file. A package installed from a registry has no lock file and is always whole. */
export function isInstalled() {
  if (!existsSync(lockFile)) return true
  if (read(installedMark) === hashOf([lockFile])) return true
  // Installed by hand: npm keeps what it put there, in the form of the lock file.
  if (!isSameTree()) return false
  writeFileSync(installedMark, hashOf([lockFile]))
  return true
}

export function install() {
  if (isInstalled()) return
  say('Installing what is missing…')
  rmSync(installedMark, { force: true })
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  const clean = attempt(npm, ['ci', ...quiet], root)
  // `npm ci` refuses a lock file without the optional packages of other platforms, as a registry that lacks them makes it; `npm install`
  // takes the same versions from the same file and goes without those.
  if (clean.includes('EUSAGE')) run(npm, ['install', '--no-save', ...quiet], root)
  else if (clean) fail(clean)
  writeFileSync(installedMark, hashOf([lockFile]))
}

export function buildConsole() {
  const web = join(root, 'web')
  if (!existsSync(join(web, 'vite.config.ts'))) return
  const now = hashOf([lockFile, ...filesIn(web)])
  if (read(builtMark) === now) return
  say('Building the console…')
  const binaries = join(root, 'node_modules/.bin')
  run(join(binaries, 'node'), [join(root, 'node_modules/vite/bin/vite.js'), 'build', '--logLevel', 'warn'], web)
  writeFileSync(builtMark, now)
}

function isSameTree() {
  const [wanted, present] = [lockFile, join(root, 'node_modules/.package-lock.json')].map((file) => read(file))
  if (!wanted || !present) return false
  const packages = JSON.parse(present).packages
  // npm sets the former from the latter: an installation that only runs needs no tools.
  const lean = process.env.npm_config_omit?.includes('dev') || process.env.NODE_ENV === 'production'
  return Object.entries(JSON.parse(wanted).packages).every(
    ([path, { version, optional, dev }]) =>
      path === '' || optional || (lean && dev) || packages[path]?.version === version,
  )
}

function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !['build', '.svelte-kit', 'node_modules'].includes(name))
    .flatMap((entry) => (entry.isDirectory() ? filesIn(join(folder, entry.name)) : [join(folder, entry.name)]))
    .sort()
}

function hashOf(files) {
  const hash = createHash('sha256')
  for (const file of files)
    hash
      .update(`${file.slice(root.length)}\0`)
      .update(readFileSync(file))
      .update('\0')
  return hash.digest('hex')
}

function read(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

/** Runs a tool; what it said when it failed, else ''. */
function attempt(command, args, cwd) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (status === 0) return ''
  return `${stdout ?? ''}${stderr ?? ''}${error ? error.message : ''}\n${[command, ...args].join(' ')} failed`.trim()
}

function run(command, args, cwd) {
  const failure = attempt(command, args, cwd)
  if (failure) fail(failure)
}

function fail(text) {
  say(text)
  process.exit(1)
}

/** On standard error, because standard output belongs to the command that follows. */
function say(text) {
  process.stderr.write(`${text}\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  install()
  if (process.argv.includes('--console')) buildConsole()
}
