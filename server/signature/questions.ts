import * as z from 'zod'
import type { Reader } from '#server/db/database.ts'
import { openPersonal, sealFor, type Keeper } from '#server/personal/seal.ts'
import { hashPassword, verifyPassword } from '#server/operator/password.ts'
import type { Vault } from '#server/secret/vault.ts'
import { keyed } from './secret.ts'

const MOST = 5

const line = (most: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(most)
    .regex(/^\P{Cc}*$/u, { message: 'must be one line without control characters' })

const answer = z
  .string()
  .max(200)
  .refine((text) => normalize(text).length >= 2, { message: 'must have at least 2 letters or digits' })

/** Questions in the person's own words, with their answers. */
export const recoveryQuestions = z
  .array(z.strictObject({ question: line(200), answer }))
  .min(1)
  .max(MOST)
  .refine((list) => new Set(list.map(({ question }) => normalize(question))).size === list.length, {
    message: 'must not hold the same question twice',
  })
export type RecoveryQuestions = z.infer<typeof recoveryQuestions>

/** Answers in the order of the questions. */
export const recoveryAnswers = z.array(z.string().max(200)).max(MOST)

/** Case, width, spaces and punctuation are not what people remember of an answer. */
function normalize(answer: string): string {
  return answer
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}\p{S}]+/gu, ' ')
    .trim()
}

/** Questions as stored. */
export const sealQuestions = (
  keeper: Keeper,
  db: Reader,
  userId: number,
  questions: RecoveryQuestions,
): Promise<Buffer> =>
  sealFor(keeper, db, userId, JSON.stringify(questions.map(({ question }) => question)), 'signatures.questions')

export const openQuestions = async (keeper: Keeper, db: Reader, sealed: Buffer | null): Promise<string[]> =>
  sealed ? (JSON.parse(await openPersonal(keeper, db, sealed, 'signatures.questions')) as string[]) : []

/** All answers as one hash: none of them can be tried without the others, and one hash is what a try costs. */
export const hashAnswers = (vault: Vault, answers: string[]): Promise<string> => hashPassword(whole(vault, answers))

/** Whether all answers are right, in order. True where no questions were set: they come on top of the code, never in its place. */
export async function verifyAnswers(vault: Vault, answers: string[], stored: string | null): Promise<boolean> {
  if (stored === null) return true
  return verifyPassword(whole(vault, answers), stored)
}

const whole = (vault: Vault, answers: string[]): string =>
  keyed(vault, JSON.stringify(answers.map(normalize)), 'signatures.answers')
