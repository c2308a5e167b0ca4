import { WalletContractV3R2, WalletContractV4, WalletContractV5R1 } from '@ton/ton'
import { expect, test } from 'vitest'
import { walletOf, wallets } from '../../server/demo/wallets.ts'

const contracts = { V3R2: WalletContractV3R2, V4R2: WalletContractV4, V5R1: WalletContractV5R1 }

test.each(['V3R2', 'V4R2', 'V5R1'] as const)('a %s wallet has the address that every client gives it', (version) => {
  const wallet = walletOf(version, 'some text')
  const { address } = contracts[version].create({ workchain: 0, publicKey: wallet.publicKey })
  expect(wallet.address).toBe(address.toRawString())
})

test('the wallets are different people with different keys', () => {
  expect(new Set(wallets.map((wallet) => wallet.address)).size).toBe(25)
  expect(new Set(wallets.map((wallet) => wallet.publicKey.toString('hex'))).size).toBe(25)
  expect(new Set(wallets.map((wallet) => wallet.version))).toEqual(new Set(['V3R2', 'V4R2', 'V5R1']))
})
