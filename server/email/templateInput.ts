import * as z from 'zod'
import { MOST_SOURCE } from './engine.ts'

const part = z.string().max(MOST_SOURCE)

/** A template as it comes from outside. */
export const templateInput = z.strictObject({ subject: part, preheader: part, html: part, text: part })
