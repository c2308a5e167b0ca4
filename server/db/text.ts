import { sql, type SQL, type SQLWrapper } from 'drizzle-orm'
import { dialect } from './dialect.ts'

/** Whether a text begins with another, asked as a range of the text's bytes: the only form in which SQLite takes an index for it. */
export function beginsWith(text: SQLWrapper, beginning: string): SQL {
  const last = beginning.charCodeAt(beginning.length - 1)
  const end = beginning.slice(0, -1) + String.fromCharCode(last + 1)
  // Other orders of PostgreSQL's pass over points and colons.
  const bytes = dialect === 'sqlite' ? sql`${text}` : sql`${text} collate "C"`
  return sql`(${bytes} >= ${beginning} and ${bytes} < ${end})`
}
