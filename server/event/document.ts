import { catalogue, type EventType } from './catalogue.ts'

/** docs/events.md: the catalogue for people, generated so that it cannot be wrong. */
export function documentEvents(): string {
  const all = [...catalogue.values()]
  const own = all.filter(({ origin }) => origin === 'builtin')
  const system = all.filter(({ origin }) => origin === 'system')
  return [
    '# Events',
    '',
    'Generated from `server/event/catalogue.ts`; a test holds it to that. [webhooks.md](webhooks.md) says how they are delivered.',
    '',
    'An app’s server records events by `POST /v1/apps/{app}/events` with `{type, user, content, time?, locale?}`, or an array of up to 100 of them. `user` is our user id, the `sub` of your token-info',
    'URL, or a Telegram id; whoever it is, it goes out as it came in. Apps add types of their own in the console. What is written here in English is',
    'written in seven more languages: [notifications.md](notifications.md) says who is told in which.',
    '',
    '## Types that apps record',
    '',
    ...own.flatMap(describe),
    '## Types that Gatehouse records itself',
    '',
    ...system.flatMap(describe),
  ].join('\n')
}

function describe(type: EventType): string[] {
  const { title, body } = type.templates['en']!
  const { properties = {}, required = [] } = type.schema as { properties?: Record<string, object>; required?: string[] }
  const optional = Object.keys(properties).filter((name) => !required.includes(name))
  const time = type.unit === 's' ? 'seconds' : 'milliseconds'
  return [
    `### \`${type.key}\``,
    '',
    `${type.description}. \`data.op\` is \`${type.op}\`, \`data.time\` counts ${time}, group _${type.group}_.`,
    '',
    '```text',
    title,
    body,
    '```',
    '',
    '```json',
    JSON.stringify(type.sample, null, 2),
    '```',
    '',
    ...(optional.length > 0 ? [`May be missing: ${optional.map((name) => `\`${name}\``).join(', ')}.`, ''] : []),
  ]
}
