import { readFileSync } from 'node:fs'
import type { App } from '#server/app/app.ts'
import type { Group } from '#server/event/catalogue.ts'
import type { Runtime } from '#server/runtime.ts'
import { directionOf, helpIn } from './builtin.ts'
import { parseLiquid, renderLiquid } from './engine.ts'
import type { Locale } from './kinds.ts'
import { AT_LAST_MS, render, type Rendered } from './render.ts'
import { stopLink } from './stop.ts'
import { valuesOf } from './variables.ts'

/** What a mail without a template tells: texts that are ready, put into one frame. */
export type Notice = {
  heading: string
  lines: string[]
  facts?: { label: string; value: string }[]
  action?: { label: string; url: string }
} & (
  | { to: 'person'; /** Of the event it tells of: what the person may stop. */ group: Group }
  | { to: 'operator'; /** Why they get it. */ why: string }
)

type Word = 'when' | 'why' | 'whySecurity' | 'stop' | 'startButton' | `stop${'Title' | 'Text' | 'Button'}`
type Said = Word | `${'stopped' | 'started'}${'Title' | 'Text'}`
type Words = Record<Said, string> & { groups: Record<Group, string> }

const read = (name: string) => readFileSync(new URL(`./notice/${name}`, import.meta.url), 'utf8')

const layout = { html: read('layout.html'), text: read('layout.txt') }
const words = JSON.parse(read('words.json')) as Record<Locale, Words>

/** What is said around notices in a language, the app's and the group's name put in. */
export function noticeWords(locale: Locale, app: string, group: Group): (word: Said) => string {
  const known = words[locale]
  const values = { app: { name: app }, group: known.groups[group] }
  return (word) => renderLiquid(parseLiquid(known[word], 'none'), values, 'none', AT_LAST_MS)
}

type About = { locale: Locale; at: Date; userId: number | null }

/** A notice as a mail: in the app's frame when it is for one of its people, in Gatehouse's own when it is for its operators. */
export function renderNotice(
  runtime: Pick<Runtime, 'config' | 'vault'>,
  app: App,
  notice: Notice,
  { locale, at, userId }: About,
): { rendered: Rendered; replyTo: string | null; unsubscribe: string | undefined } {
  const values = valuesOf(app, {}, { locale, at, expiresAt: null })
  const around =
    notice.to === 'person'
      ? forPerson(runtime, notice.group, values, { locale, at, userId })
      : forOperator(notice.why, values)
  const right = directionOf(locale) === 'rtl'
  const frame = {
    ...{ locale, dir: values.dir, align: right ? 'right' : 'left', end: right ? 'left' : 'right' },
    ...around,
    heading: notice.heading,
    lines: notice.lines,
    facts: [...(notice.facts ?? []), ...around.facts],
    action: notice.action ?? null,
    ink: inkOn(around.app.primaryColor),
    help: helpIn(locale),
  }
  const parts = { subject: '{{ heading }}', preheader: '{% for line in lines %}{{ line }} {% endfor %}', ...layout }
  return {
    rendered: render(parts, frame),
    replyTo: around.app.supportEmail || null,
    unsubscribe: around.stop?.url,
  }
}

type Values = ReturnType<typeof valuesOf>

function forPerson(
  runtime: Pick<Runtime, 'config' | 'vault'>,
  group: Group,
  { app, time }: Values,
  { locale, userId }: About,
) {
  const say = noticeWords(locale, app.name, group)
  const mayStop = userId !== null && group !== 'security'
  return {
    app,
    facts: [{ label: say('when'), value: time }],
    why: say(mayStop ? 'why' : 'whySecurity'),
    stop: mayStop ? { url: stopLink(runtime, { userId, group }), label: say('stop') } : null,
  }
}

/** Mails to operators show whose they are: the app's brand would say that the app writes. */
const GATEHOUSE = { name: 'Gatehouse', logoUrl: '', supportEmail: '', copyright: '', primaryColor: '#2457d6' }

const forOperator = (why: string, { time }: Values) => ({
  app: GATEHOUSE,
  facts: [{ label: 'When', value: time }],
  why,
  stop: null,
})

/** Black or white, whichever is the better to read on a colour (WCAG 2.2's relative luminance). */
function inkOn(color: string): string {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(color.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 ? '#14171c' : '#ffffff'
}
