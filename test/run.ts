/**
 * What `npm test` runs: every check and every test, without stopping at a failure. Tests wait for a disk, a server or a browser a fifth of their time; the checks
 * run beside them in what that leaves. Each check counts as one test, a vitest project as its tests. The figures go to test/.results/summary.json, and the last line is their sum.
 *
 * `node test/run.ts types lint` runs some; `npm test -- --project sqlite` hands its arguments to vitest alone.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

type Counts = { passed: number; failed: number; skipped: number }
type Result = Counts & { step: string; seconds: number }

const root = fileURLToPath(new URL('..', import.meta.url))
const results = join(root, 'test/.results')
const report = join(results, 'vitest.json')
const hasConsole = existsSync(join(root, 'web/vite.config.ts'))
const native = join(root, 'node_modules/@typescript/native/bin/tsc')

/** Checks that are right or wrong as a whole; `before` must be done first. */
const checks: Record<string, { command: string[]; cwd?: string; unless?: boolean }> = {
  types: { command: existsSync(native) ? ['node', native, '--noEmit'] : ['tsc', '--noEmit'] },
  console: { command: ['node', 'server/install.mjs', '--console'], unless: !hasConsole },
  svelte: {
    command: ['svelte-check', '--tsconfig', './tsconfig.json', '--fail-on-warnings'],
    cwd: 'web',
    unless: !hasConsole,
  },
  lint: { command: ['eslint', '--config', '.config/eslint.config.js', '--max-warnings', '0', '.'] },
  format: { command: ['prettier', '--check', '--log-level', 'warn', '.'] },
  unused: { command: ['knip', '--config', '.config/knip.json', '--no-progress', '--no-config-hints'] },
}

const args = process.argv.slice(2)
const someChecks = args.length > 0 && args.every((name) => name in checks)
const names = Object.keys(checks).filter((name) => !checks[name]!.unless)

rmSync(results, { recursive: true, force: true })
mkdirSync(results, { recursive: true })
const started = performance.now()
const done: Result[] = []
if (someChecks) await runChecks(args, 2)
else if (args.length > 0) done.push(await runVitest(args))
else await runAll()
finish()

/** The console's types, the linter's view of it and the browser's tests come out of its build, so that goes first. */
async function runAll(): Promise<void> {
  const others = names.filter((name) => name !== 'console')
  if (names.includes('console')) done.push(await runCheck('console'))
  const tests = runVitest([])
  await Promise.all([tests, runChecks(others, 1, constants.priority.PRIORITY_LOW)])
  done.push(await tests)
}

/** So many at a time, the console's build before all others. */
async function runChecks(wanted: string[], atOnce: number, priority?: number): Promise<void> {
  const waiting = [...wanted]
  if (waiting.includes('console')) {
    waiting.splice(waiting.indexOf('console'), 1)
    done.push(await runCheck('console'))
  }
  const worker = async () => {
    for (let name = waiting.shift(); name; name = waiting.shift()) done.push(await runCheck(name, priority))
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

async function runCheck(step: string, priority?: number): Promise<Result> {
  const { command, cwd } = checks[step]!
  const { code, output, seconds } = await execute(command, { cwd, priority })
  const ok = code === 0
  console.log(`${ok ? '✓' : '✗'} ${step} (${seconds.toFixed(1)} s)${ok ? '' : `\n${output.trimEnd()}`}`)
  return { step, seconds, passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 }
}

async function runVitest(more: string[]): Promise<Result> {
  const { code, seconds } = await execute(
    [
      'vitest',
      'run',
      '--config',
      'test/vitest.config.ts',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...more,
    ],
    { show: true },
  )
  const counts = countTests()
  // An error outside any test, or a report that was never written, is a failure too.
  if (code !== 0 && counts.failed === 0) counts.failed = 1
  return { step: 'vitest', seconds, ...counts }
}

/** Vitest's own report; a file that could not even be loaded counts as one failure. */
function countTests(): Counts {
  if (!existsSync(report)) return { passed: 0, failed: 0, skipped: 0 }
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as {
    testResults: { status: string; assertionResults: { status: string }[] }[]
  }
  const counts = { passed: 0, failed: 0, skipped: 0 }
  for (const { status, assertionResults } of testResults) {
    for (const test of assertionResults) {
      if (test.status === 'passed') counts.passed++
      else if (test.status === 'failed') counts.failed++
      else counts.skipped++
    }
    if (status === 'failed' && !assertionResults.some((test) => test.status === 'failed')) counts.failed++
  }
  return counts
}

function finish(): void {
  const sum = (of: keyof Counts) => done.reduce((total, result) => total + result[of], 0)
  const [passed, failed, skipped] = [sum('passed'), sum('failed'), sum('skipped')]
  const seconds = (performance.now() - started) / 1000
  writeFileSync(
    join(results, 'summary.json'),
    `${JSON.stringify({ passed, failed, skipped, seconds, steps: done }, null, 2)}\n`,
  )
  console.log(`\n${seconds.toFixed(0)} s`)
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  process.exitCode = failed > 0 ? 1 : 0
}

function execute(
  command: string[],
  { cwd = '.', show = false, priority }: { cwd?: string | undefined; show?: boolean; priority?: number | undefined },
): Promise<{ code: number | null; output: string; seconds: number }> {
  return new Promise((resolve) => {
    const begun = performance.now()
    const [name, ...rest] = command
    const child = spawn(name!, rest, {
      cwd: join(root, cwd),
      stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
      env: { ...process.env, PATH: join(root, 'node_modules/.bin') + delimiter + process.env['PATH'] },
    })
    if (priority !== undefined && child.pid !== undefined) setPriority(child.pid, priority)
    let output = ''
    const take = (chunk: Buffer) => void (output += chunk.toString())
    child.stdout?.on('data', take)
    child.stderr?.on('data', take)
    const end = (code: number | null) => resolve({ code, output, seconds: (performance.now() - begun) / 1000 })
    child.on('error', (error) => {
      output += error.message
      end(1)
    })
    child.on('close', end)
  })
}
