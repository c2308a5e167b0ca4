import { api, type Session, type SessionFilter } from '../api.ts'
import { attempt } from '../attempt.ts'
import { confirm } from '../confirm.svelte.ts'
import { plural } from '../format.ts'
import { toast } from '../toast.svelte.ts'

const known = (filter: SessionFilter) =>
  Object.fromEntries(Object.entries(filter).filter(([, value]) => value)) as SessionFilter

/** One session ends at once, without a question: a stolen one must die now. */
export async function revokeOne(session: Pick<Session, 'id' | 'user'>) {
  const done = await attempt(() => api.sessions.revoke.mutate({ id: session.id }))
  if (done === undefined) return
  toast(`Session of ${session.user.label} revoked`, {
    action: {
      label: 'Revoke all of this user',
      run: () => revokeMatching({ userId: session.user.id, status: 'active' }, session.user.label),
    },
  })
}

export async function revokeMany(ids: string[], name: string) {
  if (ids.length > 25) {
    const sure = await confirm({
      title: `Revoke ${plural(ids.length, 'session')}?`,
      text: 'They end now and cannot be brought back. The users can sign in again.',
      type: name,
      action: `Revoke ${plural(ids.length, 'session')}`,
    })
    if (sure === undefined) return
  }
  await attempt(
    () => api.sessions.revokeMany.mutate({ ids }),
    ({ revoked }) => `${plural(revoked, 'session')} revoked`,
  )
}

/** Counts first; the server counts again and refuses when the number has moved. */
export async function revokeMatching(filter: SessionFilter, name: string): Promise<boolean> {
  const live = { ...known(filter), status: 'active' as const }
  const found = await attempt(() => api.sessions.count.query(live))
  if (!found) return false
  if (!found.count) {
    toast('None of them is active any more')
    return false
  }
  const amount = `${plural(found.count, 'session')}${found.capped ? ' or more' : ''}`
  if (found.count > 25 || !filter.userId) {
    const sure = await confirm({
      title: `Revoke ${amount}?`,
      text: 'They end now and cannot be brought back. The users can sign in again.',
      facts: [`${amount} of ${plural(found.users, 'user')}`, `In: ${name}`],
      action: `Revoke ${amount}`,
      ...(found.count > 25 ? { type: name } : {}),
    })
    if (sure === undefined) return false
  }
  const done = await attempt(
    () => api.sessions.revokeMany.mutate({ filter: live, expectedCount: found.count }),
    ({ revoked }) => `${plural(revoked, 'session')} revoked`,
  )
  return done !== undefined
}
