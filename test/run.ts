/**
 * What `npm test` runs: every check, one after another or two at a time, without stopping at a failure. Each check counts as one test, a
 * vitest project as its tests. The figures go to test/.results/summary.json, and the last line is their sum.
 *
 * `node test/run.ts types lint` runs some; `npm test -- --project sqlite` hands its arguments to vitest alone.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
if (someChecks || args.length === 0) await runChecks(someChecks ? args : names)
if (!someChecks) done.push(await runVitest(args))
finish()

/** Two at a time, for two cores. The console's types and the linter's view of it come out of its build, so that goes first. */
async function runChecks(wanted: string[]): Promise<void> {
  const waiting = [...wanted]
  if (waiting.includes('console')) {
    waiting.splice(waiting.indexOf('console'), 1)
    done.push(await runCheck('console'))
  }
  const worker = async () => {
    for (let name = waiting.shift(); name; name = waiting.shift()) done.push(await runCheck(name))
  }
  await Promise.all([worker(), worker()])
}

async function runCheck(step: string): Promise<Result> {
  const { command, cwd } = checks[step]!
  const { code, output, seconds } = await execute(command, cwd)
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
    undefined,
    true,
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
  cwd = '.',
  show = false,
): Promise<{ code: number | null; output: string; seconds: number }> {
  return new Promise((resolve) => {
    const begun = performance.now()
    const [name, ...rest] = command
    const child = spawn(name!, rest, {
      cwd: join(root, cwd),
      stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
      env: { ...process.env, PATH: join(root, 'node_modules/.bin') + delimiter + process.env['PATH'] },
    })
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
