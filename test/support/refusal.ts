import { AppError } from '#server/error.ts'

/**
 * The code that `act` is refused with, or undefined where it is not refused; what is no refusal is a fault of ours and
 * is thrown on.
 */
export function refusal(act: () => unknown): string | undefined {
  try {
    act()
  } catch (error) {
    if (error instanceof AppError) return error.code
    throw error
  }
  return undefined
}

/** The same for what answers later. */
export async function refusalOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise
  } catch (error) {
    if (error instanceof AppError) return error.code
    throw error
  }
  return undefined
}
