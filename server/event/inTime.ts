import { createContext, Script } from 'node:vm'

/** What is not done by then will not be: a content of 64 KiB takes a schema of sense a few milliseconds. */
const MOST_MS = 500
/** So many steps, counted too high, are done at once whatever they are. */
const FEW_STEPS = 500_000

const script = new Script('work()')
const nothing = (): unknown => undefined
let current = nothing
const context = createContext({ work: () => current() })

/**
 * Does something that the input of strangers could make last for ever, as a schema does whose references double with each level, and stops it after half
 * a second. A watch costs a fifth of a millisecond.
 * @param timeout milliseconds
 * @returns undefined when it was stopped, or turned in circles
 */
export function inTime<T>(work: () => T, timeout = MOST_MS): { result: T } | undefined {
  current = work
  try {
    return { result: script.runInContext(context, { timeout }) as T }
  } catch (error) {
    if (error instanceof RangeError || (error as { code?: string }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
      return undefined
    throw error
  } finally {
    current = nothing
  }
}

/** Whether a value, looked at with so much weight at each of its places, is looked through at once. */
export function isQuick(value: unknown, weight: number): boolean {
  let left = FEW_STEPS
  const spend = (part: unknown): boolean => {
    left -= weight * (typeof part === 'string' ? 1 + (part.length >> 4) : 1)
    if (left < 0) return false
    if (typeof part !== 'object' || part === null) return true
    return Object.entries(part).every(([name, member]) => ((left -= name.length), spend(member)))
  }
  return spend(value)
}
