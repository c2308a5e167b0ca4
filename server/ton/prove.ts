import * as z from 'zod'
import type { App } from '#server/app/app.ts'
import type { Transaction } from '#server/db/database.ts'
import { AppError } from '#server/error.ts'
import type { Proof } from '#server/identity/proof.ts'
import type { Runtime } from '#server/runtime.ts'
import { parseAddress } from './address.ts'
import { resolveKey } from './key.ts'
import { getNonce, nonceInvalid } from './nonce.ts'
import { checkTonProof, verifyCheckedProof } from './proof.ts'
import { verifySignedNonceAsync } from './signedNonce.ts'
import { consumeNonce } from './store.ts'
import { addressFromStateInit } from './wallet.ts'

const id = z.string().min(1).max(64)
const address = z.string().min(1).max(80)
const stateInit = z.string().min(1).max(4096)
const publicKey = z.string().min(1).max(90)

/** The address may be left out where the state init is given, for it follows from it. */
export const signedNonce = z.strictObject({
  id,
  address: address.optional(),
  signedMessage: z.string().min(1).max(200),
  publicKey: publicKey.optional(),
  stateInit: stateInit.optional(),
})

/** What TON Connect's SDK hands to the app: `wallet.account` and `wallet.connectItems.tonProof.proof`. */
const tonProof = z.strictObject({
  id,
  account: z.object({
    address,
    chain: z.union([z.string().max(12), z.int().transform(String)]).optional(),
    publicKey: publicKey.optional(),
    walletStateInit: stateInit.optional(),
  }),
  proof: z.object({
    timestamp: z.union([z.number(), z.string().max(20)]),
    domain: z.object({ value: z.string().max(253), lengthBytes: z.number().int().optional() }),
    signature: z.string().max(100),
    payload: z.string().max(128),
  }),
})

export type WalletProof = z.infer<typeof tonProof> | z.infer<typeof signedNonce>

/** What a wallet's proof must look like, by what it is meant to be: so that faults are told of the members that were sent. */
export function walletProof(input: unknown): z.ZodType<WalletProof> {
  const meant = typeof input === 'object' && input !== null && ('account' in input || 'proof' in input)
  return meant ? tonProof : signedNonce
}

/** The address that a proof says it is of, before anything of it is checked; undefined where none is named or it cannot be read. */
export function claimedAddress(proof: WalletProof): string | undefined {
  const named = 'account' in proof ? proof.account.address : proof.address
  try {
    return named === undefined ? undefined : parseAddress(named)
  } catch {
    // Whoever checks the proof says what is wrong with it.
    return undefined
  }
}

/** A wallet whose owner has just signed a nonce of ours; `consume` uses the nonce up in the transaction that acts on it. */
export type ProvedWallet = { proof: Proof; consume: (tx: Transaction, now: Date) => Promise<void> }

/**
 * Checks a wallet's signature over a nonce, as it is or inside a `ton_proof`. Cheap checks come first, the key only from the address's own state init, from a
 * login before, or from the chain.
 * @throws AppError invalid_request, nonce_invalid, login_expired, invalid_signature, chain_not_configured, chain_unavailable
 */
export async function proveWallet(runtime: Runtime, app: App, input: WalletProof): Promise<ProvedWallet> {
  const claim =
    'proof' in input
      ? {
          address: input.account.address,
          publicKey: input.account.publicKey,
          stateInit: input.account.walletStateInit,
          chain: input.account.chain,
        }
      : { address: input.address, publicKey: input.publicKey, stateInit: input.stateInit, chain: undefined }
  const raw = readAddress(claim)
  const { row, nonce } = await getNonce(runtime, app, input.id, raw)
  const checked =
    'proof' in input &&
    checkTonProof({
      address: raw,
      proof: plainProof(input.proof),
      domains: app.settings.ton.domains,
      now: runtime.now(),
      payload: nonce,
    })
  refuseForeignNetwork(app, claim.chain)

  const key = await resolveKey(runtime, app, raw, claim)
  refuseForeignNetwork(app, key.network?.toString())
  if (checked) await verifyCheckedProof(checked, key.publicKey)
  else
    await verifySignedNonceAsync({
      nonce,
      signedMessage: (input as z.infer<typeof signedNonce>).signedMessage,
      publicKey: key.publicKey,
    })
  return {
    proof: {
      kind: 'ton',
      subject: raw,
      profile: {},
      details: key.details,
      ...(key.kept && { publicKey: key.raw }),
      ...(key.known && { known: key.known }),
    },
    consume: async (tx, now) => {
      if (!(await consumeNonce(tx, row, now))) throw nonceInvalid()
    },
  }
}

function readAddress({ address, stateInit }: { address: string | undefined; stateInit: string | undefined }): string {
  if (address !== undefined) return parseAddress(address)
  if (stateInit !== undefined) return addressFromStateInit(stateInit)
  throw new AppError(
    'invalid_request',
    'Send the address of the wallet; it may be left out only where stateInit is given',
  )
}

function refuseForeignNetwork(app: App, network: string | undefined): void {
  const { chains } = app.settings.ton
  if (network !== undefined && !(chains as string[]).includes(network)) {
    throw new AppError(
      'invalid_signature',
      `This wallet is of network ${network.slice(0, 12)}, which this app does not accept`,
    )
  }
}

function plainProof(proof: z.infer<typeof tonProof>['proof']) {
  const { value, lengthBytes } = proof.domain
  return { ...proof, domain: { value, ...(lengthBytes !== undefined && { lengthBytes }) } }
}
