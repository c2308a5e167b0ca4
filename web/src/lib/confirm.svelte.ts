export type Question = {
  title: string
  text: string
  facts?: string[]
  action: string
  type?: string
  ask?: { label: string; required?: boolean }
}
type Pending = Question & { answer: (value: string | undefined) => void }

export const asked = $state<{ question: Pending | undefined }>({ question: undefined })

/** Asks before something that cannot be taken back. Resolves to the typed reason (or ''), or undefined when cancelled. */
export function confirm(question: Question): Promise<string | undefined> {
  return new Promise((resolve) => {
    asked.question = { ...question, answer: resolve }
  })
}
