import { AppError } from '#server/error.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Actor } from './audit.ts'
import type { OperatorRow } from './store.ts'

export const roles = ['owner', 'admin', 'support', 'viewer'] as const
export type Role = (typeof roles)[number]

/**
 * What an act asks of an operator. `view`: look. `support`: end sessions, block users. `manage`: change apps, keys of apps, erase users.
 * `own`: operators and signing keys.
 */
export type Right = 'view' | 'support' | 'manage' | 'own'

const rights: Record<Role, readonly Right[]> = {
  owner: ['view', 'support', 'manage', 'own'],
  admin: ['view', 'support', 'manage'],
  support: ['view', 'support'],
  viewer: ['view'],
}

/** A person in the console, signed in. */
export type Operator = {
  id: number
  publicId: string
  email: string
  name: string | undefined
  role: Role
  /** The apps this operator may see; undefined is all. */
  appIds: number[] | undefined
}

export function openOperator(runtime: Runtime, row: OperatorRow): Operator {
  return {
    id: row.id,
    publicId: runtime.vault.ids.seal('op', row.id),
    email: runtime.vault.open(row.emailSealed, 'operators.email'),
    name: row.name ?? undefined,
    role: row.role,
    appIds: row.appIds === null ? undefined : (JSON.parse(row.appIds) as number[]),
  }
}

export const actorOf = (operator: Operator, ip: string): Actor => ({
  kind: 'operator',
  id: operator.id,
  label: operator.email,
  ip,
})

/** @throws AppError forbidden */
export function assertRight(operator: Operator, right: Right): void {
  if (!rights[operator.role].includes(right))
    throw new AppError('forbidden', `Your role, ${operator.role}, does not allow this`)
}

/** What belongs to an app that an operator may not see is not there for them. @throws AppError not_found */
export function assertSees(operator: Operator, appId: number): void {
  if (operator.appIds && !operator.appIds.includes(appId))
    throw new AppError('not_found', 'There is nothing of that id')
}

/** Things of the whole installation are out of reach for operators of some apps. @throws AppError forbidden */
export function assertSeesAll(operator: Operator): void {
  if (operator.appIds)
    throw new AppError('forbidden', 'This concerns the whole installation, and you look after some apps only')
}
