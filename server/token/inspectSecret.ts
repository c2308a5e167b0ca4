import { proveApiKey } from '#server/app/apiKeys.ts'
import { appAt } from '#server/app/app.ts'
import { proveOperatorToken } from '#server/operator/tokens.ts'
import type { Runtime } from '#server/runtime.ts'
import { nothing, type Check, type Inspection, type TokenKind } from './inspection.ts'

/** What an app's server calls with: whose it is, what it may, and what keeps it from being taken. */
export async function inspectApiKey(runtime: Runtime, token: string, form: Check): Promise<Inspection> {
  const found = await proveApiKey(runtime, token)
  const app = found && (await appAt(runtime, found.key.appId, found.appVersion))
  if (!app)
    return refusedOpaque('apiKey', form, 'token_invalid', 'This API key was deleted, or a character of it is another')
  const { name, scopes, expiresAt } = found.key
  const expired = expiresAt !== null && runtime.now() >= expiresAt
  const may = (JSON.parse(scopes) as string[]).join(', ')
  const checks = [
    form,
    { name: 'Secret', ok: true, detail: `of the key ${name} of ${app.name}; it may ${may}` },
    {
      name: 'Expiry',
      ok: !expired,
      detail: expiresAt ? `${expired ? 'since' : 'until'} ${expiresAt.toISOString()}` : 'none',
    },
    { name: 'App', ok: !app.disabled, detail: app.disabled ? 'switched off' : 'switched on' },
  ]
  const [code, reason] = expired
    ? ['token_expired', 'This API key has expired']
    : app.disabled
      ? ['app_disabled', 'The app of this key is switched off']
      : []
  return { ...nothing, kind: 'apiKey', valid: code === undefined, reason, code, checks, appId: app.id }
}

/** What an operator or a script of theirs calls with. Whose it is stays theirs. */
export async function inspectOperatorToken(runtime: Runtime, token: string, form: Check): Promise<Inspection> {
  const operator = await proveOperatorToken(runtime, token, token.startsWith('gh_oc_') ? 'oc' : 'op')
  const reason = 'This token was deleted or has expired, its operator is switched off, or a character of it is another'
  if (!operator) return refusedOpaque('operatorToken', form, 'token_invalid', reason)
  const checks = [form, { name: 'Secret, expiry and operator', ok: true, detail: 'all hold' }]
  return { ...nothing, kind: 'operatorToken', valid: true, reason: undefined, code: undefined, checks }
}

const refusedOpaque = (kind: TokenKind, form: Check, code: string, reason: string): Inspection => ({
  ...nothing,
  kind,
  reason,
  code,
  checks: [form, { name: 'Secret', ok: false, detail: reason }],
})
