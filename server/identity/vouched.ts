import type { App } from '#server/app/app.ts'
import type { Profile } from './proof.ts'

/**
 * Whether the e-mail address in a profile is known to be the person's: a login said so, or they read a code that was mailed there. An app's own server that says
 * nothing of it vouches for its users' addresses, unless the app wants it to say so. What a person wrote down themselves is marked as not verified and never is.
 */
export const isVouched = ({ settings }: App, { email, emailVerified }: Profile): boolean =>
  email !== undefined && (emailVerified ?? !settings.sso.requireEmailVerified)
