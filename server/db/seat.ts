import { gte, sql } from 'drizzle-orm'
import { sessions } from './schema.ts'

/** Whether a session holds a seat: the same as that nobody has ended it, by the index that leads with the user. */
export const isSeated = gte(sessions.seat, 0)

/** What frees a session's seat; to be set with its end. */
export const unseated = { seat: sql`-${sessions.id}` as unknown as number }
