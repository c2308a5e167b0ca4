import {
  createHmac,
  createPrivateKey,
  createSecretKey,
  generateKeyPairSync,
  randomBytes,
  sign as signBytes,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto'

/** Everything a message is signed with: secrets newest first, and the key pair's private half where v1a is wanted. */
export type SigningKeys = { secrets: KeyObject[]; privateKey: KeyObject | undefined }

/** A secret as receivers are given it (Standard Webhooks): `whsec_` and 32 random bytes in base64. */
export const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`

/** The key inside a `whsec_` secret of 24 to 64 bytes, or undefined when it is none. */
export function readSecret(secret: string): KeyObject | undefined {
  const text = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1]
  if (text === undefined) return undefined
  const bytes = Buffer.from(text, 'base64')
  // One spelling only: what was decoded must be what was written.
  if (bytes.length < 24 || bytes.length > 64 || bytes.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, ''))
    return undefined
  return createSecretKey(bytes)
}

/** An Ed25519 pair: the private half to be kept sealed, the public half raw in base64. */
export function newKeyPair(): { privateJwk: JsonWebKey; publicKey: string } {
  const { privateKey } = generateKeyPairSync('ed25519')
  const privateJwk = privateKey.export({ format: 'jwk' })
  return { privateJwk, publicKey: Buffer.from(privateJwk.x!, 'base64url').toString('base64') }
}

export const readPrivateKey = (jwk: JsonWebKey): KeyObject => createPrivateKey({ key: jwk, format: 'jwk' })

/** What is signed (Standard Webhooks 1.0.0): id, the attempt's time in Unix seconds, and the body's bytes, joined by full stops. */
export const signedContent = (id: string, timestamp: number, body: string): string => `${id}.${timestamp}.${body}`

/** The `webhook-signature` header: one signature a secret, newest first, then that of the key pair. */
export function sign(keys: SigningKeys, message: { id: string; timestamp: number; body: string }): string {
  const content = signedContent(message.id, message.timestamp, message.body)
  const signatures = keys.secrets.map((secret) => `v1,${hmac(secret, content)}`)
  if (keys.privateKey)
    signatures.push(`v1a,${signBytes(null, Buffer.from(content), keys.privateKey).toString('base64')}`)
  return signatures.join(' ')
}

export const hmac = (secret: KeyObject, content: string): string =>
  createHmac('sha256', secret).update(content).digest('base64')
