const MOST = 20_000
const written = new Map<number, string>()

/** A moment in ISO 8601. A session's fixed moments are written again with each of its calls, and writing one costs as much as a small query. */
export function moment(at: Date | number): string {
  const ms = Number(at)
  let text = written.get(ms)
  if (text === undefined) {
    if (written.size >= MOST) written.clear()
    written.set(ms, (text = new Date(ms).toISOString()))
  }
  return text
}
