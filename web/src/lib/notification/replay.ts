import { api, type NotificationFilter, type NotificationItem } from '../api.ts'
import { attempt } from '../attempt.ts'
import { confirm } from '../confirm.svelte.ts'
import { counted, plural } from '../format.ts'
import { toast } from '../toast.svelte.ts'

type Delivery = NotificationItem['deliveries'][number]

/** What stays in the inbox, went to an endpoint that is gone, or is a mail that was never written or is on its way, cannot be sent again. */
export const resendable = ({ channel, endpoint, status, reason }: Delivery) =>
  channel === 'telegram' ||
  (channel === 'webhook' && !!endpoint?.url) ||
  (channel === 'email' &&
    (status === 'delivered' || status === 'dead' || (status === 'skipped' && !!reason?.startsWith('mail_'))))

export const replayable = ({ deliveries }: Pick<NotificationItem, 'deliveries'>) => deliveries.some(resendable)

/** Sends one event again, over one channel or all; the receiver sees the same id, and a mail is a new one. */
export async function replayOne(id: string, deliveryId?: string) {
  await attempt(
    () => api.notifications.replay.mutate({ id, ...(deliveryId ? { deliveryId } : {}) }),
    ({ replayed }) =>
      replayed
        ? `${plural(replayed, 'delivery', 'deliveries')} on the way again`
        : 'It is being sent at this moment, or the person has stopped such mails',
  )
}

/** Counts first; the server counts again and refuses when the number has moved. */
export async function replayMatching(filter: NotificationFilter, name: string): Promise<void> {
  const found = await attempt(() => api.notifications.count.query(filter))
  if (!found) return
  const { replayable } = found
  if (!replayable) return toast('Nothing that matches can be sent again')
  const amount = `${counted(replayable)} ${replayable === 1 ? 'delivery' : 'deliveries'}`
  const sure = await confirm({
    title: `Replay ${amount}?`,
    text: 'They go out again now, oldest first, at the rate of each endpoint. Each keeps its webhook-id and its bytes, so a receiver that remembers ids takes none twice; a mail is sent as a new one, unless the person has stopped such mails.',
    facts: [
      `${amount}, of ${name}`,
      ...(filter.status === 'delivered' || !filter.status ? ['Those that were delivered are sent once more'] : []),
      ...(found.count > replayable
        ? [
            `${counted(found.count - replayable)} more cannot be sent again: they are in inboxes, their endpoint is gone, or their mail is on its way or was never written`,
          ]
        : []),
      ...(found.capped ? ['The first 10,000 of them; do it again for the rest'] : []),
    ],
    action: `Replay ${amount}`,
    ...(replayable > 25 ? { type: name } : {}),
  })
  if (sure === undefined) return
  await attempt(
    () => api.notifications.replayMany.mutate({ filter, expectedCount: replayable }),
    ({ replayed }) => `${plural(replayed, 'delivery', 'deliveries')} on the way again`,
  )
}
