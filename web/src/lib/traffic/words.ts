import type { Tone } from '../words.ts'

/** Why a try to sign in failed, as the overview and the Traffic page say it. */
const failures: Record<string, string> = {
  invalid_signature: 'The proof does not hold',
  nonce_invalid: 'The nonce was used or has expired',
  login_expired: 'The login is too old or was used already',
  sso_token_rejected: 'The app’s sign-on refused the token',
  rate_limited: 'Too many tries',
  challenge_required: 'Had to solve a challenge first',
  forbidden: 'The address is blocked',
  user_blocked: 'The account is blocked',
  session_limit_reached: 'Too many sessions at once',
  invalid_request: 'The request was malformed',
  chain_unavailable: 'The chain could not be asked',
  chain_not_configured: 'No TON API is configured',
  sso_upstream_failed: 'The app’s sign-on answered wrongly',
  sso_upstream_unavailable: 'The app’s sign-on is away',
  sso_upstream_timeout: 'The app’s sign-on did not answer',
  server_error: 'A fault of ours',
  unavailable: 'The database could not be written',
}
export const failureWord = (code: string): string => failures[code] ?? code.replaceAll('_', ' ')

export const answerWords = {
  watch: { glyph: '◉', word: 'watched', tone: 'plain' },
  slow: { glyph: '◔', word: 'slowed down', tone: 'warn' },
  challenge: { glyph: '?', word: 'challenged', tone: 'warn' },
  block: { glyph: '✕', word: 'blocked', tone: 'bad' },
} as const satisfies Record<string, { glyph: string; word: string; tone: Tone }>

export const answerOptions = [
  { value: 'watch', label: 'Only tell' },
  { value: 'slow', label: 'Slow down' },
  { value: 'challenge', label: 'Challenge' },
  { value: 'block', label: 'Block' },
] as const

export const modeOptions = [
  { value: 'on', label: 'On' },
  { value: 'shadow', label: 'Shadow' },
  { value: 'off', label: 'Off' },
] as const
