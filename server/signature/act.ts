import type { Actor } from '#server/operator/audit.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'

/** A person as the audit log names them: by the id that operators know, and never by name. */
export const personActor = ({ vault }: Runtime, userId: number, { ip }: Origin): Actor => ({
  kind: 'system',
  id: null,
  label: vault.ids.seal('usr', userId),
  ip,
})
