import type { EventType } from '../api.ts'

type Group = EventType['group']

export const groups: { value: Group; label: string }[] = [
  { value: 'transactions', label: 'Transactions' },
  { value: 'trading', label: 'Trading' },
  { value: 'swaps', label: 'Swaps' },
  { value: 'verification', label: 'Verification' },
  { value: 'security', label: 'Security: people cannot switch it off' },
  { value: 'account', label: 'Account' },
  { value: 'other', label: 'Other' },
]

const names = new Intl.DisplayNames('en', { type: 'language' })
export const localeName = (tag: string) => names.of(tag) ?? tag

/** Languages that people of Mini Apps most often have; any other tag can be written. */
export const locales = 'en ru uk de es fr pt-BR it pl tr fa ar hi id uz kk vi zh-Hans ja ko'.split(' ')

/** Members that the schema names, for the texts to use. */
export function membersOf(schema: unknown): string[] {
  const properties = (schema as { properties?: unknown } | null)?.properties
  return typeof properties === 'object' && properties !== null ? Object.keys(properties) : []
}

/** Text as JSON, or what is wrong with it. */
export function readObject(text: string): { value: Record<string, unknown> } | { fault: string } {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return { value: value as Record<string, unknown> }
    return { fault: 'must be a JSON object' }
  } catch (error) {
    return { fault: `is not JSON: ${(error as Error).message}` }
  }
}
