import * as z from 'zod'
import type { Reader } from '#server/db/database.ts'
import { getFact } from '#server/operator/store.ts'

const days = (least: number) => z.number().int().min(least).max(36_500)

/** Days that each kind of data is kept, counted from when it was last of use. Null keeps it for ever. */
export const retention = z.strictObject({
  /** Sessions that are over, with what happened to them: addresses, devices, times. */
  endedSessions: days(1).nullable(),
  /** Events of which nothing is owed any more, with their deliveries and attempts. */
  events: days(1).nullable(),
  /** Events of which a delivery is dead or held: so long they can be sent again. */
  undelivered: days(1).nullable(),
  /** Mails, counted from when they were written: so long a complaint about one can be answered. */
  emails: days(1).nullable(),
  /** Tries to sign in by address and device. */
  tries: days(1).nullable(),
  findings: days(1).nullable(),
  /** Figures by the minute, the hour and the day: they name nobody. */
  minutes: days(1).nullable(),
  hours: days(1).nullable(),
  days: days(1).nullable(),
})
export type Retention = z.infer<typeof retention>

export const defaultRetention: Retention = {
  endedSessions: 90,
  events: 90,
  undelivered: 180,
  emails: 30,
  tries: 30,
  findings: 180,
  minutes: 3,
  hours: 400,
  days: null,
}

export const SETTINGS = 'retention'
export const REPORT = 'retention_report'

/** What the last run that removed anything removed, by kind. */
export const report = z.object({ at: z.iso.datetime(), removed: z.record(z.string(), z.number()) })
export type Report = z.infer<typeof report>

export async function readRetention(db: Reader): Promise<Retention> {
  const stored = await getFact(db, SETTINGS)
  return { ...defaultRetention, ...(stored ? (JSON.parse(stored) as Partial<Retention>) : {}) }
}

export async function readReport(db: Reader): Promise<Report | null> {
  const stored = await getFact(db, REPORT)
  return stored ? report.parse(JSON.parse(stored)) : null
}
