import type { App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { responsibleFor } from '#server/operator/responsible.ts'
import type { Runtime } from '#server/runtime.ts'
import type { NoticeKind } from './kinds.ts'
import { queueNotice } from './queueNotice.ts'

export type Told = {
  kind: Exclude<NoticeKind, 'event'>
  heading: string
  lines: string[]
  facts: { label: string; value: string }[]
  action: { label: string; url: string }
}

/** Mails the operators of an app, in the transaction of what they are told of; each mail is one of the app's, under Mails. Returns how many. */
export async function tellOperators(
  runtime: Runtime,
  tx: Transaction,
  app: App,
  { kind, ...told }: Told,
): Promise<number> {
  const operators = await responsibleFor(runtime, tx, app.id)
  for (const { email: to, role } of operators) {
    const why = `You receive this mail because you are ${role === 'owner' ? 'an owner' : 'an admin'} of Gatehouse at ${runtime.config.publicUrl} and look after ${app.name}.`
    await queueNotice(runtime, tx, { app, kind, to, locale: 'en', notice: { to: 'operator', why, ...told } })
  }
  return operators.length
}
