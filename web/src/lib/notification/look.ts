import type { NotificationItem } from '../api.ts'
import type { Tone } from '../words.ts'

type Status = NotificationItem['status']
type Delivery = Pick<NotificationItem['deliveries'][number], 'channel' | 'status' | 'explanation'>
type Look = { glyph: string; word: string; tone: Tone; why: string }

/** What became of something owed, in the words of the console; each has a glyph and a word beside its colour. */
const looks: Record<Status, Look> = {
  delivered: { glyph: '✓', word: 'delivered', tone: 'ok', why: 'It was taken.' },
  pending: { glyph: '◔', word: 'waiting', tone: 'accent', why: 'It is about to be sent.' },
  sending: { glyph: '◐', word: 'sending', tone: 'accent', why: 'It is being sent at this moment.' },
  retrying: { glyph: '↻', word: 'retrying', tone: 'warn', why: 'It was not taken yet and is tried again.' },
  held: { glyph: '‖', word: 'held', tone: 'warn', why: 'Its endpoint is off; it is kept until it is on again.' },
  dead: { glyph: '✕', word: 'given up', tone: 'bad', why: 'It was not taken and is not tried any more.' },
  skipped: { glyph: '○', word: 'skipped', tone: 'plain', why: 'It was not sent.' },
  none: {
    glyph: '○',
    word: 'nobody to tell',
    tone: 'plain',
    why: 'No endpoint of the app wants this type, and the person is told over no channel.',
  },
}

export const lookOf = (status: Status): Look => looks[status]

export const statusOptions = [
  { value: '', label: 'Any status' },
  ...(['dead', 'retrying', 'held', 'pending', 'sending', 'delivered', 'skipped'] as const).map((value) => ({
    value,
    label: looks[value].word.replace(/^./, (letter) => letter.toUpperCase()),
  })),
]

const channels = { webhook: 'Webhook', inbox: 'Inbox', telegram: 'Telegram', email: 'E-mail' } as const
export const channelWord = (channel: keyof typeof channels) => channels[channel]
export const channelOptions = [
  { value: '', label: 'Any channel' },
  ...Object.entries(channels).map(([value, label]) => ({ value, label })),
]

/** Why a notification stands where it stands, in one sentence: that of the delivery which needs most attention. */
export function whyOf({ status, deliveries }: { status: Status; deliveries: Delivery[] }): string {
  const first = deliveries.find((one) => one.status === status)
  const why = status !== 'delivered' && first?.explanation
  return why ? why : looks[status].why
}

/** What is owed, by channel and status, the many endpoints of an app in one: "✓ Webhook ×3". */
export function summary(deliveries: Delivery[]) {
  const groups = Map.groupBy(deliveries, ({ channel, status }) => `${channel} ${status}`)
  return [...groups].map(([key, list]) => {
    const { channel, status, explanation } = list[0]!
    const { glyph, word, tone, why } = looks[status]
    const name = channelWord(channel) + (list.length > 1 ? ` ×${list.length}` : '')
    return { key, glyph, tone, word, name, title: `${name}: ${word}. ${explanation ?? why}` }
  })
}
