import { createSchema } from 'graphql-yoga'
import * as z from 'zod'
import type { App } from '#server/app/app.ts'
import { parse } from '#server/http/answer.ts'
import { createProfile } from '#server/profile/create.ts'
import { findProfile, listProfiles } from '#server/profile/find.ts'
import { ownAddress } from '#server/profile/owner.ts'
import { newProfile, profileChange } from '#server/profile/profile.ts'
import { updateProfile } from '#server/profile/update.ts'
import type { Runtime } from '#server/runtime.ts'
import type { Origin } from '#server/origin/origin.ts'
import { publicSession } from '#server/session/session.ts'
import { refresh } from '#server/token/refresh.ts'
import type { Access } from '#server/token/verifyAccess.ts'
import { parseAddress } from './address.ts'
import { tonLogin } from './login.ts'
import { createNonce } from './nonce.ts'
import { claimedAddress, signedNonce } from './prove.ts'

/** One HTTP request, as the resolvers know it. */
export type Call = {
  runtime: Runtime
  app: App
  origin: Origin
  /** Counts a field against a rate limit; each alias is one. @throws AppError rate_limited */
  charge: () => Promise<void>
  /** Reads and runs one try at a way in, limited and watched (traffic/attempt.ts). @param claimOf the address that it says it is of */
  attempt: <In, Out>(
    method: 'ton' | 'nonce',
    read: () => In,
    claimOf: (input: In) => string | undefined,
    work: (input: In) => Promise<Out>,
  ) => Promise<Out>
  /** Who the bearer token speaks for. @throws AppError as `verifyAccess` */
  access: () => Promise<Access>
}
export type Context = { call: Call }

/** The names and results of Nabi's API. Root fields may be null, so that one refused alias does not take the others along. */
const typeDefs = /* GraphQL */ `
  type Query {
    "A nonce to be signed by the wallet; valid for 5 minutes and for one getToken. With address it serves that wallet only."
    generateNonce(address: String): Nonce
    "Tokens for a signed nonce."
    getToken(request: GetTokenRequest!): Tokens
    "A new access token."
    refreshToken(request: RefreshTokenRequest!): RefreshedToken
    "The profile with this handle, or null. Public."
    profile(handle: String!): Profile
    "Who the bearer token speaks for."
    me: Me
  }

  type Mutation {
    generateNonce(address: String): Nonce
    getToken(request: GetTokenRequest!): Tokens
    refreshToken(request: RefreshTokenRequest!): RefreshedToken
    "Makes a profile for the address that the bearer token was issued to."
    createProfile(input: CreateProfileInput!): Profile
    "Changes a profile of that address."
    updateProfile(input: UpdateProfileInput!): Profile
  }

  input GetTokenRequest {
    "The nonce's id."
    id: String!
    "Raw or user-friendly; may be left out only where stateInit is given."
    address: String
    "Ed25519 over the nonce's UTF-8 bytes, in base64, base64url or hexadecimal."
    signedMessage: String!
    "Compared with the wallet's key, never taken for it."
    publicKey: String
    "The wallet's state init in base64. Needed at the first login of a wallet, unless the server can ask the chain."
    stateInit: String
  }

  input RefreshTokenRequest {
    token: String!
  }

  input CreateProfileInput {
    "4 to 255 of A-Z, a-z, 0-9, _ and -. Unique whatever its case."
    handle: String!
    address: String!
  }

  input UpdateProfileInput {
    profileId: String!
    data: ProfileDataInput!
  }

  "What is left out stays as it is; an empty text removes a field."
  input ProfileDataInput {
    name: String
    bio: String
    location: String
    twitter: String
    coverPicture: String
    profilePicture: String
    statusEmoji: String
    statusText: String
  }

  type Nonce {
    id: ID!
    nonce: String!
    "When it was made, in ISO 8601."
    timestamp: String!
  }

  type Tokens {
    accessToken: String!
    refreshToken: String!
  }

  type RefreshedToken {
    "The new access token."
    token: String!
    "The next refresh token, for an app whose refresh tokens serve once; else null."
    refreshToken: String
  }

  type Profile {
    id: ID!
    profileId: ID!
    handle: String!
    "The owner's raw address."
    ownedBy: String!
    name: String
    bio: String
    location: String
    twitter: String
    coverPicture: String
    profilePicture: String
    statusEmoji: String
    statusText: String
  }

  type Me {
    "The user's id."
    id: ID!
    "The raw address that the token was issued to; null after a login without a wallet."
    address: String
    "The profiles that this address owns, at most 100."
    profiles: [Profile!]!
    session: Session!
  }

  type Session {
    id: ID!
    appId: ID!
    userId: ID!
    createdAt: String!
    lastActiveAt: String!
    idleExpiresAt: String!
    expiresAt: String!
    method: String!
  }
`

type Arguments = { request: unknown; input: Record<string, unknown> }
type Resolver<A> = (parent: unknown, args: A, context: Context) => Promise<unknown>

const generateNonce: Resolver<{ address?: string | null }> = async (_parent, { address }, { call }) => {
  const read = () => (address == null ? undefined : parseAddress(address))
  return call.attempt(
    'nonce',
    read,
    (raw) => raw,
    (raw) => createNonce(call.runtime, call.app, raw),
  )
}

const getToken: Resolver<Arguments> = async (_parent, { request }, { call }) => {
  const read = () => parse(signedNonce, withoutNulls(request))
  return call.attempt('ton', read, claimedAddress, (proof) => tonLogin(call.runtime, call.app, proof, call.origin))
}

const refreshInput = z.strictObject({ token: z.string().min(1).max(5_000) })

const refreshToken: Resolver<Arguments> = async (_parent, { request }, { call }) => {
  await call.charge()
  const refreshed = await refresh(call.runtime, parse(refreshInput, withoutNulls(request)).token, call.app)
  return { token: refreshed.accessToken, refreshToken: refreshed.refreshToken }
}

const login = { generateNonce, getToken, refreshToken }

/** Who a `Me` is about. */
type Me = { access: Access; address: string | undefined }

export const schema = createSchema<Context>({
  typeDefs,
  resolvers: {
    Query: {
      ...login,
      profile: (_parent, { handle }: { handle: string }, { call }) => findProfile(call.runtime, call.app, handle),
      me: async (_parent, _args, { call }): Promise<Me> => {
        const access = await call.access()
        return { access, address: await ownAddress(call.runtime, access) }
      },
    },
    Mutation: {
      ...login,
      createProfile: async (_parent, { input }: Arguments, { call }) => {
        const access = await call.access()
        const address = parseAddress(String(input['address']))
        return createProfile(call.runtime, access, parse(newProfile, { ...withoutNulls(input), address }))
      },
      updateProfile: async (_parent, { input }: Arguments, { call }) => {
        const access = await call.access()
        return updateProfile(call.runtime, access, parse(profileChange, withoutNulls(input)))
      },
    },
    Me: {
      id: ({ access }: Me, _args, { call }) => call.runtime.vault.ids.seal('usr', access.session.userId),
      profiles: ({ access, address }: Me, _args, { call }) =>
        address === undefined ? [] : listProfiles(call.runtime, access.app, address),
      session: ({ access }: Me, _args, { call }) => publicSession(call.runtime, access.app, access.session),
    },
  },
})

/** GraphQL lets a client send null for what it leaves out. */
function withoutNulls(input: unknown): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(input as Record<string, unknown>)
      .filter(([, value]) => value !== null)
      .map(([key, value]) => [key, typeof value === 'object' ? withoutNulls(value) : value]),
  )
}
