// Every table has a whole number as key; what the world sees is that number sealed (secret/ids.ts).
// Columns called …Sealed are AES-256-GCM under the secret key, or under a person's own (personal/), …Hash are SHA-256 of a secret or a keyed hash of what is sealed.

export * from './schema/app.ts'
export * from './schema/identity.ts'
export * from './schema/session.ts'
export * from './schema/token.ts'
export * from './schema/proof.ts'
export * from './schema/operator.ts'
export * from './schema/signature.ts'
export * from './schema/installation.ts'
export * from './schema/chain.ts'
export * from './schema/stats.ts'
export * from './schema/traffic.ts'
export * from './schema/event.ts'
export * from './schema/delivery.ts'
export * from './schema/webhook.ts'
export * from './schema/notification.ts'
export * from './schema/email.ts'
