import type { Finding } from './finding.ts'

/** The mail programs that most people read in. */
const CLIENTS = [
  'gmail.desktop-webmail',
  'gmail.android',
  'gmail.ios',
  'outlook.windows',
  'outlook.outlook-com',
  'outlook.macos',
  'apple-mail.macos',
  'apple-mail.ios',
] as const

/** What a mail uses that some mail program does not know (data of caniemail.com): notes, one a feature, each with where it first stands. */
export async function checkClients(html: string): Promise<Finding[]> {
  // A quarter of a second and a megabyte of data that a server which sends mails has no use for.
  const { caniemail } = await import('caniemail')
  const { issues } = caniemail({ clients: [...CLIENTS], html })
  const features = new Map<string, { clients: Set<string>; line?: number; column?: number }>()
  for (const [client, found] of issues.errors)
    for (const { title, position } of found) {
      const feature = features.get(title) ?? { clients: new Set(), ...position?.start }
      features.set(title, feature)
      feature.clients.add(client)
    }
  return [...features].map(([title, { clients, ...place }]) => ({
    part: 'html' as const,
    level: 'note' as const,
    code: 'client',
    message: `${title} does nothing in ${[...clients].length} of ${CLIENTS.length} mail programs`,
    clients: [...clients],
    ...place,
  }))
}
