export const expiries = [
  { value: '', label: 'Never' },
  { value: '30', label: 'In 30 days' },
  { value: '90', label: 'In 90 days' },
  { value: '365', label: 'In a year' },
]
export const expiryOf = (days: string) =>
  days ? new Date(Date.now() + Number(days) * 86_400_000).toISOString() : undefined
