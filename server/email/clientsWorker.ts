import { parentPort } from 'node:worker_threads'
import { caniemail } from 'caniemail'

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

/** What a feature is called, which programs do not know it, and where it first stands. */
export type Feature = { title: string; clients: string[]; line?: number; column?: number }
export type Answer = { features: Feature[]; of: number } | { failed: string }

// Runs beside the server (clients.ts): comparing a page with all the data takes seconds for one that is made to.
parentPort!.on('message', (html: string) => {
  parentPort!.postMessage(compare(html))
})

function compare(html: string): Answer {
  try {
    const { issues } = caniemail({ clients: [...CLIENTS], html })
    const features = new Map<string, Feature>()
    for (const [client, found] of issues.errors)
      for (const { title, position } of found) {
        const feature = features.get(title) ?? { title, clients: [], ...position?.start }
        features.set(title, feature)
        if (!feature.clients.includes(client)) feature.clients.push(client)
      }
    return { features: [...features.values()], of: CLIENTS.length }
  } catch (error) {
    return { failed: (error as Error).message }
  }
}
