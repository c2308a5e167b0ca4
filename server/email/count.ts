import type { Runtime } from '#server/runtime.ts'
import type { EmailRow } from './store.ts'

/** Counts what became of a mail: where it ended, or that it was put off. */
export function countMail({ figures }: Pick<Runtime, 'figures'>, appId: number, status: EmailRow['status']): void {
  figures.count(appId, `mail.${status === 'queued' ? 'put_off' : status}`)
}
