import { randomBytes } from 'node:crypto'
import { beginCell, storeStateInit } from '@ton/core'
import { keyPairFromSeed, sign } from '@ton/crypto'
import { WalletContractV4, WalletContractV5R1 } from '@ton/ton'
import type { App } from '#server/app/app.ts'
import { call, type Answer, type TestServer } from '../support/server.ts'

/** A wallet with a key pair of its own, made and signing with TON's own libraries. */
export function newWallet(version: 'V4' | 'V5R1' = 'V4') {
  const keys = keyPairFromSeed(randomBytes(32))
  const contract = (version === 'V4' ? WalletContractV4 : WalletContractV5R1).create({
    workchain: 0,
    publicKey: keys.publicKey,
  })
  return {
    raw: contract.address.toRawString(),
    friendly: (bounceable: boolean) => contract.address.toString({ bounceable }),
    publicKey: keys.publicKey.toString('hex'),
    stateInit: beginCell().store(storeStateInit(contract.init)).endCell().toBoc().toString('base64'),
    sign: (nonce: string) => sign(Buffer.from(nonce), keys.secretKey),
  }
}
export type Wallet = ReturnType<typeof newWallet>

type Options = { token?: string; variables?: Record<string, unknown>; headers?: Record<string, string> }

/** One operation over HTTP. */
export function graphql(server: TestServer, app: App, query: string, options: Options = {}): Promise<Answer> {
  const { variables, ...rest } = options
  return call(server, 'POST', `/v1/apps/${app.slug}/graphql`, { body: { query, variables }, ...rest })
}

export const refusedWith = (answer: Answer) => [answer.status, answer.body['errors']?.[0]?.extensions.code]

const GENERATE_NONCE = /* GraphQL */ `
  query GenerateNonce($address: String) {
    generateNonce(address: $address) {
      id
      nonce
      timestamp
    }
  }
`

export async function generateNonce(server: TestServer, app: App, address?: string) {
  const answer = await graphql(server, app, GENERATE_NONCE, { variables: { address } })
  if (!answer.body['data']) throw new Error(JSON.stringify(answer.body))
  return answer.body['data'].generateNonce as { id: string; nonce: string; timestamp: string }
}

export const GET_TOKEN = /* GraphQL */ `
  query GetToken($request: GetTokenRequest!) {
    getToken(request: $request) {
      accessToken
      refreshToken
    }
  }
`

/** What a wallet sends for a nonce; any part can be made another. */
export function signed(wallet: Wallet, nonce: { id: string; nonce: string }, change: Record<string, unknown> = {}) {
  return {
    id: nonce.id,
    address: wallet.raw,
    signedMessage: wallet.sign(nonce.nonce).toString('base64'),
    stateInit: wallet.stateInit,
    ...change,
  }
}

export const getToken = (server: TestServer, app: App, request: Record<string, unknown>): Promise<Answer> =>
  graphql(server, app, GET_TOKEN, { variables: { request } })

/** From the nonce to the tokens. */
export async function signIn(server: TestServer, app: App, wallet: Wallet = newWallet()) {
  const answer = await getToken(server, app, signed(wallet, await generateNonce(server, app)))
  return answer.body['data'].getToken as { accessToken: string; refreshToken: string }
}

const PROFILE =
  'id profileId handle ownedBy name bio location twitter coverPicture profilePicture statusEmoji statusText'

export const createProfile = (
  server: TestServer,
  app: App,
  token: string,
  input: { handle: string; address: string },
) =>
  graphql(server, app, `mutation ($input: CreateProfileInput!) { createProfile(input: $input) { ${PROFILE} } }`, {
    token,
    variables: { input },
  })

export const updateProfile = (
  server: TestServer,
  app: App,
  token: string,
  input: { profileId: string; data: Record<string, unknown> },
) =>
  graphql(server, app, `mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) { ${PROFILE} } }`, {
    token,
    variables: { input },
  })

export const findProfile = (server: TestServer, app: App, handle: string) =>
  graphql(server, app, `query ($handle: String!) { profile(handle: $handle) { ${PROFILE} } }`, {
    variables: { handle },
  })

export const refreshToken = (server: TestServer, app: App, token: string) =>
  graphql(server, app, 'query ($token: String!) { refreshToken(request: { token: $token }) { token refreshToken } }', {
    variables: { token },
  })

export const me = (server: TestServer, app: App, token: string) =>
  graphql(server, app, '{ me { id address profiles { handle } session { id userId appId method } } }', { token })
