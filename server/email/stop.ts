import * as z from 'zod'
import { AppError } from '#server/error.ts'
import { groups, type Group } from '#server/event/catalogue.ts'
import type { Runtime } from '#server/runtime.ts'

const ticket = z.object({ u: z.number().int(), g: z.enum(groups) })

/** Whose mails, and about what. */
export type Stop = { userId: number; group: Group }

/** A link by which a person stops mails about a group of events, without signing in. It never runs out: mails are opened years later. */
export function stopLink({ vault, config }: Pick<Runtime, 'vault' | 'config'>, { userId, group }: Stop): string {
  const token = vault.seal(JSON.stringify({ u: userId, g: group }), 'email.stop').toString('base64url')
  return `${config.publicUrl}/mails/stop/${token}`
}

/** @throws AppError not_found for what was never a link of ours */
export function openStop({ vault }: Pick<Runtime, 'vault'>, token: string): Stop {
  try {
    const { u, g } = ticket.parse(JSON.parse(vault.open(Buffer.from(token, 'base64url'), 'email.stop')))
    return { userId: u, group: g }
  } catch (cause) {
    throw new AppError('not_found', 'This link is not valid', { cause })
  }
}
