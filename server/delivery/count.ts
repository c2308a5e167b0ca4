import type { Runtime } from '#server/runtime.ts'
import type { Verdict } from './lane.ts'

/** Counts what became of one try. One that was not the receiver's fault, or is owed to nobody any more, is none. */
export function countTry({ figures }: Pick<Runtime, 'figures'>, appId: number, { kind }: Verdict): void {
  if (kind === 'delivered') figures.count(appId, 'delivery.delivered')
  else if (kind === 'retry' || kind === 'dead') figures.count(appId, 'delivery.failed')
}
