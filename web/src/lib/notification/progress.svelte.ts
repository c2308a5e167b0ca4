import type { NotificationDetail } from '../api.ts'
import type { Resource } from '../resource.svelte.ts'

const SOON_MS = 1_500
const LATER_MS = 15_000

/** Looks again while something is still owed: soon when it is under way or due, seldom when its next try is far off. */
export function useProgress(detail: Resource<NotificationDetail>) {
  $effect(() => {
    const due = detail.data?.deliveries.flatMap(({ status, nextAttemptAt }) =>
      status === 'sending' ? [0] : nextAttemptAt ? [Date.parse(nextAttemptAt)] : [],
    )
    if (!due?.length) return
    const near = Math.min(...due) - Date.now() < 5_000
    const timer = setTimeout(() => !document.hidden && void detail.reload(), near ? SOON_MS : LATER_MS)
    return () => clearTimeout(timer)
  })
}
