import type { App } from '#server/app/app.ts'
import type { AppError } from '#server/error.ts'
import type { DetectorName } from './detectors.ts'
import type { Keys } from './place.ts'

/** Ways that can be tried. */
export const methods = ['telegram', 'ton', 'sso', 'nonce', 'link', 'code', 'token'] as const
export type Method = (typeof methods)[number]

export type Try = {
  /** Number 0 where no app is known, as with a token that is none. */
  app: Pick<App, 'id' | 'publicId'>
  method: Method
  ip: string
  userAgent: string | undefined
  /** What a proof is told by when it comes again: its own hash, which only who has the bot's token can make. */
  proof?: string | undefined
  /** Who it says it is, before anything is proved: of a code, whose session it is. */
  claim?: string | undefined
  /** A solved challenge, if one came with it. */
  solution?: string | undefined
  /** The refusal that is due because its address has made too many. */
  over?: AppError | undefined
}

/** A try that was stopped, remembered for whoever asks why. */
export type Stop = {
  at: Date
  appId: number
  method: Method
  ip: string
  device: string
  code: string
  detector: DetectorName | 'block' | 'limit'
}

export const codeKey = ({ address }: Keys): string => `code ${address}`
/** A person's own wrong codes. */
export const typistKey = ({ app, claim }: Try): string => `typist ${app.id} ${claim ?? ''}`
export const proofKey = ({ app, proof }: Try): string | undefined =>
  proof === undefined ? undefined : `proof ${app.id} ${proof}`
