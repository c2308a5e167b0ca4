import type { JsonWebKey } from 'node:crypto'
import type { Vault } from '#server/secret/vault.ts'
import { readPrivateKey, readSecret, type SigningKeys } from './sign.ts'

const PLACE = 'webhook_endpoints.secrets'

/** What an endpoint's row keeps encrypted. */
export type EndpointSecrets = {
  /** Newest first; an older one signs along until its time is over. */
  signing: { secret: string; until?: string }[]
  headers: Record<string, string>
  privateJwk?: JsonWebKey
}

export const sealSecrets = (vault: Vault, secrets: EndpointSecrets): Buffer =>
  vault.seal(JSON.stringify(secrets), PLACE)

export const openSecrets = (vault: Vault, sealed: Buffer): EndpointSecrets =>
  JSON.parse(vault.open(sealed, PLACE)) as EndpointSecrets

/** Secrets that sign at `now`. */
export const live = (secrets: EndpointSecrets, now: Date) =>
  secrets.signing.filter(({ until }) => until === undefined || new Date(until) > now)

/** @throws Error when no secret is left: nothing goes out unsigned */
export function signingKeys(secrets: EndpointSecrets, now: Date): SigningKeys {
  const keys = live(secrets, now).flatMap(({ secret }) => readSecret(secret) ?? [])
  if (keys.length === 0) throw new Error('This endpoint has no signing secret')
  return { secrets: keys, privateKey: secrets.privateJwk && readPrivateKey(secrets.privateJwk) }
}
