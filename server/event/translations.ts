import { readFileSync } from 'node:fs'
import type { Texts } from './catalogue.ts'

/** The languages that built-in texts are written in besides English, which stands with each type because it is contract. */
export const translated = ['de', 'es', 'fr', 'pt-BR', 'ru', 'tr', 'zh-CN'] as const

const read = (locale: string) =>
  JSON.parse(readFileSync(new URL(`./texts/${locale}.json`, import.meta.url), 'utf8')) as Record<string, Texts>

const texts = translated.map((locale) => [locale, read(locale)] as const)

/** The texts of a built-in type in every language they are written in. */
export const translationsOf = (key: string): Record<string, Texts> =>
  Object.fromEntries(texts.flatMap(([locale, of]) => (of[key] ? [[locale, of[key]]] : [])))
