import { createPrivateKey, type KeyObject } from 'node:crypto'
import { Address, beginCell, comment as commentBody, internal, SendMode, toNano, type Transaction } from '@ton/core'
import { Blockchain } from '@ton/sandbox'
import { WalletContractV3R2, WalletContractV4, WalletContractV5R1 } from '@ton/ton'

/** A wallet that can send: its key pair and the contract it is. */
export type Sender = { version: string; publicKey: Buffer; key: KeyObject }

/** A jetton's transfer as an indexer notes it. */
export type JettonMove = {
  master: string
  from: string
  to: string
  amount: bigint
  comment: string | undefined
  lt: bigint
  at: number
  hash: Buffer
}
export type Jetton = { master: string; symbol: string; name: string; decimals: number }

/** A TON chain in this process: real contracts in a real virtual machine, no network. Jettons are a ledger beside it. */
export type LocalChain = {
  /** Gives a wallet money from nowhere. @param nano whole nanotons */
  fund(address: string, nano: bigint, comment?: string): Promise<void>
  /** Has a wallet's own contract send money, deploying it where it must be. */
  send(from: Sender, to: string, nano: bigint, comment?: string): Promise<void>
  moveJetton(jetton: Jetton, from: string, to: string, amount: bigint, comment?: string): void
  account(address: string): Promise<{ balance: bigint; status: string }>
  publicKey(address: string): Promise<bigint | undefined>
  /** Newest first. */
  transactions(address: string): Transaction[]
  jettons: Map<string, Jetton>
  jettonMoves: JettonMove[]
}

const contracts = {
  V3R2: (publicKey: Buffer) => WalletContractV3R2.create({ workchain: 0, publicKey }),
  V4R2: (publicKey: Buffer) => WalletContractV4.create({ workchain: 0, publicKey }),
  V5R1: (publicKey: Buffer) => WalletContractV5R1.create({ publicKey }),
}

/** @param now the clock that the chain's blocks tell */
export async function createLocalChain(now: () => Date): Promise<LocalChain> {
  const chain = await Blockchain.create()
  chain.now = Math.floor(now().getTime() / 1000)
  // Later than anything an earlier chain told, as on the real one: who follows wallets goes by logical time.
  await chain.loadFrom({ ...chain.snapshot(), lt: BigInt(chain.now) * 1_000_000n })
  const bank = await chain.treasury('bank', { balance: toNano(100_000_000) })
  const jettons = new Map<string, Jetton>()
  const jettonMoves: JettonMove[] = []
  const history = new Map<string, Transaction[]>()
  const note = (transactions: Transaction[]) => {
    for (const one of transactions) {
      const account = `0:${one.address.toString(16).padStart(64, '0')}`
      history.set(account, [one, ...(history.get(account) ?? [])])
    }
  }
  // The virtual machine runs one thing at a time.
  let queue: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work, work)
    queue = turn.catch(() => undefined)
    return turn
  }
  const tick = () => (chain.now = Math.floor(now().getTime() / 1000))

  return {
    jettons,
    jettonMoves,
    fund: (address, nano, comment) =>
      inTurn(async () => {
        tick()
        const body = comment === undefined ? null : commentBody(comment)
        note((await bank.send({ to: Address.parse(address), value: nano, bounce: false, body })).transactions)
      }),
    send: (from, to, nano, comment) =>
      inTurn(async () => {
        tick()
        const contract = contracts[from.version as keyof typeof contracts](from.publicKey)
        const account = await chain.getContract(contract.address)
        const seqno =
          account.accountState?.type === 'active' ? (await account.get('seqno')).stackReader.readNumber() : 0
        const message = internal({
          to: Address.parse(to),
          value: nano,
          bounce: false,
          ...(comment && { body: comment }),
        })
        const order = {
          seqno,
          secretKey: secretKey(from),
          messages: [message],
          sendMode: SendMode.PAY_GAS_SEPARATELY,
          timeout: chain.now! + 60,
        }
        const body = (contract as WalletContractV4).createTransfer(order)
        const sent = await chain.sendMessage({
          info: { type: 'external-in', dest: contract.address, importFee: 0n },
          ...(seqno === 0 && { init: contract.init }),
          body,
        })
        note(sent.transactions)
      }),
    moveJetton(jetton, from, to, amount, comment) {
      jettons.set(jetton.master, jetton)
      // Beside the chain's own time, so that both sort as one.
      const lt = chain.lt + BigInt(jettonMoves.length) + 1n
      const hash = beginCell().storeUint(lt, 64).storeUint(jettonMoves.length, 64).endCell().hash()
      jettonMoves.unshift({ master: jetton.master, from, to, amount, comment, lt, at: tick(), hash })
    },
    account: (address) =>
      inTurn(async () => {
        const { balance, accountState } = await chain.getContract(Address.parse(address))
        return { balance, status: accountState?.type ?? 'nonexist' }
      }),
    publicKey: (address) =>
      inTurn(async () => {
        const contract = await chain.getContract(Address.parse(address))
        if (contract.accountState?.type !== 'active') return undefined
        return (await contract.get('get_public_key')).stackReader.readBigNumber()
      }),
    transactions: (address) => history.get(address) ?? [],
  }
}

/** Ed25519 as TON's libraries keep it: the seed and the public key. */
function secretKey({ key, publicKey }: Sender): Buffer {
  const { d } = createPrivateKey({ key: key.export({ format: 'jwk' }), format: 'jwk' }).export({ format: 'jwk' })
  return Buffer.concat([Buffer.from(d!, 'base64url'), publicKey])
}
