import { bytes, id, instant, integer, ref, table, text, uniqueIndex } from '../dialect.ts'
import { users } from './identity.ts'

/** A person's signature, the secret that they sign with, and what helps them when they forget it. */
export const signatures = table(
  'signatures',
  {
    id: id(),
    userId: ref()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** argon2id of a keyed hash; null until a signature is set. */
    secret: text(),
    changedAt: instant(),
    /** Where mails about the signature go when no login vouches for an address. */
    emailSealed: bytes(),
    /** The questions as a JSON array, in the person's words. */
    questionsSealed: bytes(),
    /** argon2id of all answers together. */
    answers: text(),
    questionsAt: instant(),
    /** Wrong signatures since the last right one. */
    wrongTries: integer().notNull().default(0),
    lockedUntil: instant(),
    /** Until when no code is sent or taken, after too many wrong ones. */
    resetLockedUntil: instant(),
  },
  (signature) => [uniqueIndex('signatures_user').on(signature.userId)],
)

/** The code that may reset a person's signature; a new one takes the place of the one before. */
export const signatureCodes = table(
  'signature_codes',
  {
    id: id(),
    userId: ref()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    codeHash: bytes().notNull(),
    /** Whom it was mailed to; null when there was no address. */
    emailSealed: bytes(),
    tries: integer().notNull().default(0),
    expiresAt: instant().notNull(),
  },
  (code) => [uniqueIndex('signature_codes_user').on(code.userId)],
)

/** A person's wish to join the account that has an e-mail address, and the code mailed there. */
export const linkCodes = table(
  'link_codes',
  {
    id: id(),
    /** Who asks. */
    userId: ref()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    emailHash: bytes().notNull(),
    /** When the account was looked for; null until then. */
    resolvedAt: instant(),
    /** The account that has the address. */
    targetId: ref(),
    codeHash: bytes(),
    tries: integer().notNull().default(0),
    expiresAt: instant().notNull(),
    lockedUntil: instant(),
  },
  (code) => [uniqueIndex('link_codes_user').on(code.userId)],
)
