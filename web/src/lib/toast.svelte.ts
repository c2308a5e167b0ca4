export type Toast = {
  id: number
  tone: 'ok' | 'bad'
  text: string
  hint?: string
  action?: { label: string; run: () => unknown }
}

let next = 1
export const toasts = $state<Toast[]>([])

export function toast(text: string, more: Partial<Omit<Toast, 'id' | 'text'>> = {}) {
  toasts.push({ id: next++, tone: 'ok', text, ...more })
  if (toasts.length > 3) toasts.shift()
}

export function dismiss(id: number) {
  const index = toasts.findIndex((one) => one.id === id)
  if (index >= 0) toasts.splice(index, 1)
}
