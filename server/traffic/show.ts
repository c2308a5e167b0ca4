import * as z from 'zod'
import { instant } from '#server/console/page.ts'
import type { Runtime } from '#server/runtime.ts'
import { answers, detectorNames, detectors, type DetectorName } from './detectors.ts'
import type { BlockRow, FindingRow } from './store.ts'
import type { Stop } from './try.ts'

export const blockItem = z.object({
  id: z.string(),
  effect: z.enum(['block', 'allow']),
  kind: z.enum(['address', 'network', 'user', 'app']),
  value: z.string().nullable(),
  userId: z.string().nullable(),
  appId: z.string().nullable().describe('The app it holds in; null is all'),
  reason: z.string(),
  author: z.string(),
  automatic: z.boolean(),
  createdAt: instant,
  expiresAt: instant.nullable(),
})

export function showBlock({ vault }: Runtime, row: BlockRow): z.infer<typeof blockItem> {
  const { ids } = vault
  return {
    id: ids.seal('blk', row.id),
    effect: row.effect,
    kind: row.kind,
    value: row.value,
    userId: row.userId === null ? null : ids.seal('usr', row.userId),
    appId: row.appId === null ? null : ids.seal('app', row.appId),
    reason: row.automatic ? titleOf(row.reason) : row.reason,
    author: row.author,
    automatic: row.automatic,
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt?.toISOString() ?? null,
  }
}

export const findingItem = z.object({
  id: z.string(),
  detector: z.enum(detectorNames),
  title: z.string(),
  text: z.string(),
  appId: z.string().nullable(),
  kind: z.enum(['address', 'network', 'user', 'proof', 'app']),
  value: z.string(),
  userId: z.string().nullable(),
  startedAt: instant,
  lastSeenAt: instant,
  tries: z.number(),
  stopped: z.number(),
  confidence: z.number().describe('Percent'),
  answer: z.enum(answers),
  shadow: z.boolean().describe('Found by a rule that is only tried out: nothing was done'),
  answeredUntil: instant.nullable(),
})

export function showFinding({ vault }: Runtime, row: FindingRow): z.infer<typeof findingItem> {
  const { ids } = vault
  const detector = row.detector as DetectorName
  return {
    id: ids.seal('fnd', row.id),
    detector,
    title: titleOf(detector),
    text: detectors[detector].text,
    appId: row.appId === 0 ? null : ids.seal('app', row.appId),
    kind: row.kind,
    value: row.value,
    userId: row.userId === null ? null : ids.seal('usr', row.userId),
    startedAt: row.startedAt.toISOString(),
    lastSeenAt: row.lastSeenAt.toISOString(),
    tries: row.tries,
    stopped: row.stopped,
    confidence: row.confidence,
    answer: row.answer,
    shadow: row.shadow,
    answeredUntil: row.answeredUntil?.toISOString() ?? null,
  }
}

const titleOf = (detector: string): string =>
  (detectors as Record<string, { title: string }>)[detector]?.title ?? detector

/** What stops tries besides detectors. */
const titles: Record<string, string> = { block: 'Blocked address', limit: 'Rate limit' }

export const stopItem = z.object({
  at: instant,
  appId: z.string().nullable(),
  method: z.string(),
  ip: z.string(),
  device: z.string(),
  code: z.string(),
  detector: z.string(),
  title: z.string(),
})

export const showStop = ({ vault }: Runtime, stop: Stop): z.infer<typeof stopItem> => ({
  at: stop.at.toISOString(),
  appId: stop.appId === 0 ? null : vault.ids.seal('app', stop.appId),
  method: stop.method,
  ip: stop.ip,
  device: stop.device,
  code: stop.code,
  detector: stop.detector,
  title: titles[stop.detector] ?? titleOf(stop.detector),
})
