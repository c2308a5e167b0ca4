import type { App } from '#server/app/app.ts'
import { carriesCode, type Locale, type MailFacts, type MailKind } from './kinds.ts'
import { valuesOf, type Values } from './variables.ts'

/** `sample` is a friendly person; `hostile` one who tries everything; `bare` one of whom nothing is known. */
export const dataSets = ['sample', 'hostile', 'bare'] as const
export type DataSet = (typeof dataSets)[number]

const facts: Record<DataSet, MailFacts> = {
  sample: { code: '493817', userName: 'Ada Lovelace', ip: '203.0.113.7', device: 'Telegram on iPhone' },
  hostile: {
    code: '493817',
    userName: `"><img src=x onerror=alert(1)>{{ app.name }} \u202e Łukasz`,
    ip: '2001:db8:85a3:8d3:1319:8a2e:370:7348',
    device: `Mozilla</td></tr></table><script>alert(1)</script>{% include 'x' %}`,
  },
  bare: { code: '493817' },
}

/** What a template is shown with in the studio and checked with on save. */
export function sampleValues(app: App, kind: MailKind, locale: Locale, at: Date, set: DataSet = 'sample'): Values {
  const expiresAt = carriesCode(kind) ? new Date(at.getTime() + 600_000) : null
  return valuesOf(app, sampleFacts(kind, set), { locale, at, expiresAt })
}

/** What a flow would tell in a data set. */
export function sampleFacts(kind: MailKind, set: DataSet = 'sample'): MailFacts {
  const { code, ...rest } = facts[set]
  return carriesCode(kind) ? { code, ...rest } : rest
}
