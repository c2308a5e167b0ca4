/** Upper bounds of the buckets in milliseconds; what takes longer falls into the last. */
export const bounds = [0.25, 0.5, 1, 2, 3, 5, 8, 12, 20, 35, 60, 100, 200, 400, 800, 1600, 3200, 10_000] as const

/** The bucket of a time, as part of a figure's name: two digits, so that names sort. */
export function bucketOf(ms: number): string {
  const at = bounds.findIndex((bound) => ms <= bound)
  return String(at === -1 ? bounds.length : at).padStart(2, '0')
}

/**
 * The time that a share of the calls stayed within, in milliseconds, by the buckets' bounds; undefined where there were no calls.
 * @param counts calls by bucket, as `bucketOf` names them
 */
export function quantile(counts: Map<string, number>, share: number): number | undefined {
  const total = [...counts.values()].reduce((sum, n) => sum + n, 0)
  if (total === 0) return undefined
  let seen = 0
  for (const bucket of [...counts.keys()].sort()) {
    seen += counts.get(bucket)!
    if (seen >= total * share) return bounds[Number(bucket)] ?? bounds.at(-1)
  }
  return bounds.at(-1)
}
