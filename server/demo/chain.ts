import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { LocalChain } from './localChain.ts'
import type { Random } from './random.ts'
import { callAs, type Session, type Visitor, type World } from './visitor.ts'
import { wallets, type Wallet } from './wallets.ts'

const TON = 1_000_000_000n
/** A jetton of the demo's own, which nobody vouches for. */
const COIN = { master: `0:${'c0'.repeat(32)}`, symbol: 'QUEST', name: 'Quest Coin', decimals: 2 }

/** A TON chain in this process with a toncenter-shaped API before it; undefined where the packages for it are not installed. */
export async function serveChain(now: () => Date): Promise<{ chain: LocalChain; url: string } | undefined> {
  const parts = await Promise.all([import('./localChain.ts'), import('./toncenter.ts')]).catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error
    return undefined
  })
  if (!parts) return undefined
  const [{ createLocalChain }, { toncenter }] = parts
  const chain = await createLocalChain(now)
  const server = createServer(toncenter(chain))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  return { chain, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v3` }
}

/** Everybody gets something to spend. */
export async function fundWallets(chain: LocalChain, random: Random, stopped: () => boolean): Promise<void> {
  for (const [n, wallet] of wallets.entries()) {
    if (stopped()) return
    await chain.fund(wallet.address, BigInt(5 + random.int(200)) * TON, 'Welcome')
    if (n % 3 === 0) chain.moveJetton(COIN, `0:${'0f'.repeat(32)}`, wallet.address, BigInt(100 + random.int(90_000)))
  }
}

/** The wallet's owner sends something to somebody, and looks at what is left. */
export async function pay(world: World, visitor: Visitor, session: Session): Promise<void> {
  const { chain, random } = world
  if (!chain || !('wallet' in visitor.who)) return
  const { wallet } = visitor.who
  const other: Wallet = random.pick(wallets)
  if (other !== wallet) {
    const comment = random.pick([undefined, 'thanks!', 'rent', 'for the game', '🎁'])
    await chain.send(wallet, other.address, (TON * BigInt(1 + random.int(300))) / 100n, comment)
  }
  const path = `/v1/me/wallets/${wallet.address}`
  await callAs(world, visitor, session, 'balance', { method: 'GET', path: `${path}/balance` })
  await callAs(world, visitor, session, 'history', { method: 'GET', path: `${path}/transactions` })
}
