import type { Credential, DemoApp } from './apps.ts'
import type { Client } from './client.ts'
import type { Manner, Receiver } from './receiver.ts'

const plans: { slug: string; description: string; manner: Manner }[] = [
  { slug: 'ton-quest', description: 'Backend', manner: 'steady' },
  { slug: 'mini-wallet', description: 'Backend', manner: 'steady' },
  { slug: 'mini-wallet', description: 'Data warehouse', manner: 'busy' },
  { slug: 'arena-bot', description: 'Backend', manner: 'steady' },
  { slug: 'arena-bot', description: 'Former provider', manner: 'gone' },
]

/** The apps' endpoints at the receiver of this run: made where they are missing, else moved there. An operator sends each a test event. */
export async function makeEndpoints(
  client: Client,
  operator: Credential,
  apps: DemoApp[],
  receiver: Receiver,
): Promise<void> {
  for (const { slug, description, manner } of plans) {
    const url = receiver.urlOf(slug, manner)
    const path = `/api/v1/apps/${apps.find((app) => app.slug === slug)!.id}/webhooks`
    const made = await makeEndpoint(client, operator, path, { url, description })
    if (!made) continue
    receiver.trust(url, made.secret)
    await client.call('try an endpoint out', { path: `${path}/${made.id}/test`, headers: operator, json: {} })
  }
}

type Made = { id: string; secret: string }

/** A secret is shown only once, so that of a former run is replaced. */
async function makeEndpoint(
  client: Client,
  headers: Credential,
  path: string,
  json: { url: string; description: string },
): Promise<Made | undefined> {
  const listed = await client.call<{ items: { id: string; description: string }[] }>('list the endpoints', {
    ...{ method: 'GET', path, headers },
  })
  const known = listed.body.items.find(({ description }) => description === json.description)
  if (!known) {
    const { expected, body } = await client.call<Made>('make an endpoint', { path, headers, json, expect: 201 })
    return expected ? body : undefined
  }
  const own = `${path}/${known.id}`
  await client.call('move an endpoint', { method: 'PATCH', path: own, headers, json: { url: json.url } })
  const { expected, body } = await client.call<Made>('replace a secret', {
    ...{ path: `${own}/rotate-secret`, headers },
    json: { overlapSeconds: 0 },
  })
  return expected ? body : undefined
}
