import type { Session } from './api.ts'

export type Tone = 'ok' | 'warn' | 'bad' | 'accent' | 'plain'
type EndReason = NonNullable<Session['endReason']>
type Look = { glyph: string; word: string; tone: Tone }

/** How a session ended, in the words of the console. Colour is never alone: each has a glyph and a word. */
const ends: Record<EndReason, Look & { why: string }> = {
  logout: { glyph: '○', word: 'signed out', tone: 'plain', why: 'The user signed out.' },
  logout_all: { glyph: '○', word: 'signed out', tone: 'plain', why: 'The user signed out everywhere.' },
  limit_exceeded: {
    glyph: '⇥',
    word: 'evicted',
    tone: 'warn',
    why: 'The app’s limit was reached and this session was idle the longest.',
  },
  revoked_by_operator: { glyph: '✕', word: 'revoked', tone: 'bad', why: 'An operator ended it.' },
  revoked_by_app: { glyph: '✕', word: 'revoked', tone: 'bad', why: 'The app’s server ended it.' },
  refresh_reuse: {
    glyph: '!',
    word: 'token reuse',
    tone: 'bad',
    why: 'A used refresh token came back, a sign of theft.',
  },
  signature_reset_failed: {
    glyph: '!',
    word: 'reset failed',
    tone: 'bad',
    why: 'Too many wrong codes while resetting the signature.',
  },
  user_blocked: { glyph: '✕', word: 'blocked', tone: 'bad', why: 'The user was blocked.' },
  user_erased: { glyph: '✕', word: 'erased', tone: 'plain', why: 'The user was erased.' },
  account_linked: {
    glyph: '⇢',
    word: 'account linked',
    tone: 'plain',
    why: 'The account was joined with another one of the same person.',
  },
  app_disabled: { glyph: '✕', word: 'app disabled', tone: 'bad', why: 'The app was disabled.' },
  idle_timeout: { glyph: '◌', word: 'idled out', tone: 'plain', why: 'Nobody used it for the app’s idle time.' },
  absolute_timeout: { glyph: '◌', word: 'expired', tone: 'plain', why: 'It reached the app’s maximum lifetime.' },
}

export const endReasons = (Object.keys(ends) as EndReason[]).map((value) => ({ value, ...ends[value] }))

export function sessionLook(session: {
  status: string
  endReason?: string | null | undefined
}): Look & { why?: string } {
  if (session.status === 'active') return { glyph: '●', word: 'active', tone: 'ok' }
  return ends[session.endReason as EndReason] ?? { glyph: '○', word: 'ended', tone: 'plain' }
}

const methods: Record<string, string> = { telegram: 'Telegram', ton: 'TON wallet', sso: 'SSO' }
export const methodWord = (method: string) => methods[method] ?? method

export const roles = [
  { value: 'owner', label: 'Owner', why: 'Everything, also operators and signing keys' },
  { value: 'admin', label: 'Admin', why: 'Apps, their settings and keys' },
  { value: 'support', label: 'Support', why: 'Ends sessions, blocks users, inspects tokens' },
  { value: 'viewer', label: 'Viewer', why: 'Looks, changes nothing' },
] as const
