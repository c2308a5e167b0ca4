import { createHmac, createPrivateKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { beginCell, contractAddress, storeStateInit } from '@ton/core'
import { WalletContractV4 } from '@ton/ton'
import { tonProofDigest } from '../server/ton/proof.ts'

export const botToken = '7000000001:AAF1nTheBenchOnlyNeverARealBotToken0'
export const DOMAIN = 'bench.example.com'

const webApp = createHmac('sha256', 'WebAppData').update(botToken).digest()

/** Signed initData of the n-th person. */
export function initDataOf(n: number): string {
  const fields: Record<string, string> = {
    auth_date: String(Math.floor(Date.now() / 1000)),
    query_id: 'AAHdF6IQAAAAAN0XohDhrOrc',
    user: JSON.stringify({
      id: 100_000_000 + n,
      first_name: 'Person',
      last_name: String(n),
      username: `person_${n}`,
      language_code: 'en',
    }),
  }
  const text = Object.entries(fields)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join('\n')
  return new URLSearchParams({ ...fields, hash: createHmac('sha256', webApp).update(text).digest('hex') }).toString()
}

export type Wallet = { address: string; publicKey: string; stateInit: string; key: KeyObject }

/** A new V4R2 wallet with a key of its own. */
export function newWallet(): Wallet {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url')
  const { init } = WalletContractV4.create({ workchain: 0, publicKey: raw })
  return {
    address: contractAddress(0, init).toRawString(),
    publicKey: raw.toString('hex'),
    stateInit: beginCell().store(storeStateInit(init)).endCell().toBoc().toString('base64'),
    key: createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' })),
  }
}

/** The body of a TON Connect login with this wallet over this nonce. */
export function tonLoginBody(wallet: Wallet, nonce: { id: string; nonce: string }, withState: boolean): string {
  const proof = {
    timestamp: Math.floor(Date.now() / 1000),
    domain: { lengthBytes: DOMAIN.length, value: DOMAIN },
    signature: '',
    payload: nonce.nonce,
  }
  proof.signature = sign(null, tonProofDigest(wallet.address, proof), wallet.key).toString('base64')
  const account = {
    address: wallet.address,
    chain: '-239',
    publicKey: wallet.publicKey,
    ...(withState && { walletStateInit: wallet.stateInit }),
  }
  return JSON.stringify({ id: nonce.id, account, proof })
}
