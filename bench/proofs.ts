/** How many logins of each kind a core verifies: `node bench/proofs.ts`. */
import { createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { beginCell, Cell, storeStateInit } from '@ton/core'
import { botKeys } from '#server/telegram/botKeys.ts'
import { verifyInitData } from '#server/telegram/initData.ts'
import { decodeBase64 } from '#server/ton/base64.ts'
import { checkTonProof, tonProofDigest, verifyCheckedProof, verifyTonProof, type TonProof } from '#server/ton/proof.ts'
import { ed25519PublicKey } from '#server/ton/publicKey.ts'
import { parseStateInit } from '#server/ton/stateInit.ts'
import { matchTemplate } from '#server/ton/template.ts'
import { walletFromStateInit } from '#server/ton/wallet.ts'
import { walletCodes, type WalletVersion } from '#server/ton/walletCodes.ts'

const now = new Date(1_760_000_005_000)

/** Runs for about a second after warming up and prints the median of five. */
async function measure(name: string, act: () => unknown, parallel = 1): Promise<void> {
  const run = async (milliseconds: number) => {
    const start = process.hrtime.bigint()
    let done = 0
    while (Number(process.hrtime.bigint() - start) < milliseconds * 1e6) {
      if (parallel === 1) {
        for (let turn = 0; turn < 50; turn++) act()
        done += 50
      } else {
        await Promise.all(Array.from({ length: parallel }, act))
        done += parallel
      }
    }
    return done / (Number(process.hrtime.bigint() - start) / 1e9)
  }
  await run(200)
  const rates: number[] = []
  for (let round = 0; round < 5; round++) rates.push(await run(200))
  const rate = rates.sort((a, b) => a - b)[2] ?? 0
  console.log(
    `${name.padEnd(64)} ${Math.round(rate).toLocaleString('en').padStart(10)}/s ${(1e6 / rate).toFixed(1).padStart(8)} µs`,
  )
}

function makeInitData(botToken: string): string {
  const user = JSON.stringify({
    id: 279058397,
    first_name: 'Ada',
    last_name: 'Lovelace',
    username: 'ada',
    language_code: 'en',
  })
  const pairs = { auth_date: '1760000000', query_id: 'AAHdF6IQAAAAAN0XohDhrOrc', user }
  const text = Object.entries(pairs)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')
  const hash = createHmac('sha256', botKeys(botToken).webApp).update(text).digest('hex')
  return new URLSearchParams({ ...pairs, hash }).toString()
}

type Login = { address: string; stateInit: string; proof: TonProof; publicKey: Buffer }

function rawKey(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url')
}

function makeLogin(version: WalletVersion): Login {
  const wallet = walletCodes.find((code) => code.version === version) ?? walletCodes[0]
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const data = beginCell()
  for (let bit = 0; bit < wallet.keyOffset; bit++) data.storeBit(0)
  data.storeBuffer(rawKey(publicKey))
  while (data.bits < wallet.dataBits) data.storeBit(0)
  const cell = beginCell()
    .store(storeStateInit({ code: Cell.fromBase64(wallet.code), data: data.endCell() }))
    .endCell()
  const address = `0:${cell.hash().toString('hex')}`
  const proof: TonProof = {
    timestamp: 1_760_000_000,
    domain: { value: 'app.example' },
    payload: 'nonce',
    signature: '',
  }
  proof.signature = sign(null, tonProofDigest(address, proof), privateKey).toString('base64')
  return { address, stateInit: cell.toBoc().toString('base64'), proof, publicKey: rawKey(publicKey) }
}

const token = '5768337691:AAH5YkoiEuPk8-FZa32hStHTqXiLPtAEhx8'
const keys = botKeys(token)
const initData = makeInitData(token)
await measure('initData, the bot’s keys cached', () => verifyInitData(initData, keys, now, 86_400))
await measure('initData, the bot’s keys made each time', () => verifyInitData(initData, botKeys(token), now, 86_400))

for (const version of ['V3R2', 'V4R2', 'V5R1'] as const) {
  const { address, stateInit, proof, publicKey } = makeLogin(version)
  const boc = decodeBase64(stateInit) ?? Buffer.alloc(0)
  const expected = { address, proof, domains: ['app.example'], payload: 'nonce', now }
  const key = ed25519PublicKey(publicKey)
  await measure(`${version} state init recognised`, () => matchTemplate(boc))
  await measure(`${version} state init to wallet, recognised`, () => walletFromStateInit(address, stateInit))
  await measure(`${version} state init parsed`, () => parseStateInit(boc))
  await measure(`${version} ton_proof, new wallet recognised`, () => {
    const wallet = walletFromStateInit(address, stateInit)
    verifyTonProof({ ...expected, publicKey: ed25519PublicKey(wallet?.publicKey ?? publicKey) })
  })
  await measure(`${version} ton_proof, new wallet parsed`, () => {
    parseStateInit(boc)
    verifyTonProof({ ...expected, publicKey: ed25519PublicKey(publicKey) })
  })
  await measure(`${version} ton_proof, known wallet (key made from its bytes)`, () =>
    verifyTonProof({ ...expected, publicKey: ed25519PublicKey(publicKey) }),
  )
  await measure(`${version} ton_proof, known wallet (key kept)`, () => verifyTonProof({ ...expected, publicKey: key }))
  await measure(
    `${version} ton_proof, new wallet recognised, thread pool, 64 at once`,
    () => {
      const wallet = walletFromStateInit(address, stateInit)
      return verifyCheckedProof(checkTonProof(expected), ed25519PublicKey(wallet?.publicKey ?? publicKey))
    },
    64,
  )
}
