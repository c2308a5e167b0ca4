import { sql, type Column, type SQLWrapper } from 'drizzle-orm'
import { dialect } from './dialect.ts'

/** A column in a condition for which SQLite shall not take the column's index. PostgreSQL knows by its figures what an index is worth. */
export const unindexed = (column: Column): SQLWrapper => (dialect === 'sqlite' ? sql`+${column}` : column)
