/** TON's global ids: mainnet and testnet. */
export type Network = -239 | -3

/**
 * The network that a V5R1 wallet id was made for: `networkGlobalId xor context`, where a client's context is a one, the
 * workchain, version 0 and a subwallet of 15 bits (@ton/ton `WalletV5R1WalletId.ts`). Read for both networks, the
 * subwallet differs by 236, so one reading is below 128 and the other is not, bit 7 being in 236: the lower one is
 * meant. Undefined for an id of another make.
 */
export function walletNetwork(walletId: number, workchain: number): Network | undefined {
  const networks: Network[] = [-239, -3]
  return networks.find((network) => {
    const context = walletId ^ network
    const subwallet = context & 0x7fff
    return (context & ~0x7fff) === clientContext(workchain) && (subwallet & 0x80) === 0
  })
}

function clientContext(workchain: number): number {
  return 0x80000000 | ((workchain & 0xff) << 23) | 0
}
