import { leaveIfSignedOut, problem, type Problem } from './api.ts'
import { refresh } from './resource.svelte.ts'
import { toast } from './toast.svelte.ts'

/** Runs one change: says what happened, refreshes what is on screen, and on refusal says what to do. */
export async function attempt<T>(
  change: () => Promise<T>,
  done?: (result: T) => string | undefined,
): Promise<T | undefined> {
  try {
    const result = await change()
    const text = done?.(result)
    if (text) toast(text)
    await refresh()
    return result
  } catch (error) {
    if (leaveIfSignedOut(error)) return undefined
    const { message, hint } = problem(error)
    toast(message, { tone: 'bad', ...(hint ? { hint } : {}) })
    return undefined
  }
}

/** Like `attempt`, for forms that show the refusal beside their fields. */
export async function submit<T>(change: () => Promise<T>, refused: (problem: Problem) => void): Promise<T | undefined> {
  try {
    const result = await change()
    await refresh()
    return result
  } catch (error) {
    if (!leaveIfSignedOut(error)) refused(problem(error))
    return undefined
  }
}
