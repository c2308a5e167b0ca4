import type { EventType, Group } from './catalogue.ts'
import { translationsOf } from './translations.ts'

/** Amounts come as text or as numbers, and go out as they came. */
const amount = { type: ['string', 'number'] }
const text = { type: 'string' }
const property = (name: string) => (/amount$/i.test(name) ? amount : text)

/** The line of the app's reward, where points were given. */
const reward = '{addedPoints, select, none {} other {\nYour {rewardName} increased {addedPoints} points}}'

type Definition = {
  key: string
  op?: string
  group: Group
  description: string
  title: string
  body: string
  sample: Record<string, string | number>
  unit: 's' | 'ms'
  rewarded?: boolean
}

function define({ key, op = key, title, body, rewarded = false, ...type }: Definition): EventType {
  const required = Object.keys(type.sample)
  const points = rewarded && { addedPoints: { type: ['string', 'number'], description: 'Points given for it, if any' } }
  return {
    ...type,
    key,
    op,
    schema: {
      type: 'object',
      properties: { ...Object.fromEntries(required.map((name) => [name, property(name)])), ...points },
      required,
    },
    templates: { en: { title, body: rewarded ? body + reward : body }, ...translationsOf(key) },
    origin: 'builtin',
    people: true,
  }
}

const transaction = {
  bip44: '1023',
  chainId: '1666600000',
  txnHash: '0x231...',
  symbol: 'ONE',
  amount: '0.45976983',
  walletAddress: '0xabc1...',
  otherWallet: '0xb0....55a7',
}
const trade = { symbol: 'BTC', amount: 0.00169875 }
const swap = (status: string) => ({ status, symbolA: '1INCH', symbolB: 'BNB' })
const swapFailed = `Failed to swap {symbolA} to {symbolB} due to "a higher slippage" OR\n"a different deposit amount".`

/** The types of Saakuru's notifications, member for member (contract §6). */
export const businessTypes: EventType[] = [
  define({
    key: 'txn.sent',
    group: 'transactions',
    unit: 's',
    description: 'Coins were sent from a wallet of the person',
    title: 'Sent {symbol}',
    body: '{amount} {symbol} has been sent to {to}',
    sample: { ...transaction, to: 'Jack || 0xb0....55a7' },
  }),
  define({
    key: 'txn.received',
    group: 'transactions',
    unit: 's',
    description: 'Coins arrived in a wallet of the person',
    title: 'Received {symbol}',
    body: '{amount} {symbol} has been received from {from}',
    sample: { ...transaction, from: 'Alex || 0xb0....55a7' },
  }),
  define({
    key: 'txn.cancelled',
    group: 'transactions',
    unit: 's',
    description: 'A transaction of the person was cancelled',
    title: 'Transaction Cancelled',
    body: 'Send {amount} {symbol} to {to}',
    sample: { ...transaction, to: 'Jason || 0xb0....55a7' },
  }),
  define({
    key: 'txn.internal',
    group: 'transactions',
    unit: 's',
    description: 'A transfer between two wallets of the person is confirmed',
    title: 'Transaction Confirmed',
    body: '{amount} {symbol} from {fromWalletName} to {toWalletName}',
    sample: {
      bip44: '1023',
      chainId: '1666600000',
      txnHash: '0x231...',
      symbol: 'ONE',
      amount: '0.45976983',
      fromWalletAddress: '0xabc1...',
      fromWalletName: 'Harmony savings',
      toWalletAddress: '0xb0....55a7',
      toWalletName: 'Harmony staking',
    },
  }),
  define({
    key: 'txn.swap',
    group: 'transactions',
    unit: 's',
    description: 'A swap on chain is completed',
    title: 'Swap Completed',
    body: 'Swap from {swapFromAmount} {swapFrom} to {swapTo} is completed. You received {swapToAmount} {swapTo}',
    sample: {
      bip44: '1023',
      chainId: '1666600000',
      txnHash: '0x231...',
      walletAddress: '0xabc1...',
      swapFrom: 'ONE',
      swapFromAmount: '0.457',
      swapTo: 'MATIC',
      swapToAmount: '0.001',
    },
  }),
  define({
    key: 'buy.confirm',
    group: 'trading',
    unit: 'ms',
    description: 'A purchase is confirmed and being processed',
    title: 'Buying {symbol} confirmed',
    body: 'Buying {symbol} transaction is confirmed and being processed.',
    sample: trade,
  }),
  define({
    key: 'buy.success',
    group: 'trading',
    unit: 'ms',
    description: 'A purchase is completed',
    title: 'Buying {symbol} completed',
    body: 'You have successfully bought and received {amount} {symbol}.',
    sample: trade,
    rewarded: true,
  }),
  define({
    key: 'buy.fail',
    group: 'trading',
    unit: 'ms',
    description: 'A purchase failed',
    title: 'Buying {symbol} failed',
    body: 'Buying {symbol} failed. Check email for more details from service provider.',
    sample: trade,
  }),
  define({
    key: 'sell.success',
    group: 'trading',
    unit: 'ms',
    description: 'A sale is completed',
    title: 'Selling {symbol} completed',
    body: 'You have successfully sold {amount} {symbol}.',
    sample: trade,
    rewarded: true,
  }),
  define({
    key: 'sell.failed',
    group: 'trading',
    unit: 'ms',
    description: 'A sale failed',
    title: 'Selling {symbol} failed',
    body: 'Selling {symbol} failed. Check email for more details from service provider.',
    sample: trade,
  }),
  define({
    key: 'kyc.success',
    group: 'verification',
    unit: 'ms',
    description: 'The person passed the identity check',
    title: 'Swap KYC status',
    body: 'Your KYC success',
    sample: {},
  }),
  define({
    key: 'kyc.failed',
    group: 'verification',
    unit: 'ms',
    description: 'The person did not pass the identity check',
    title: 'Swap KYC status',
    body: 'Your KYC failed',
    sample: {},
  }),
  define({
    key: 'swap.confirmed',
    op: 'swap.ProcessingWithdrawal',
    group: 'swaps',
    unit: 'ms',
    description: 'A swap is confirmed, and its withdrawal is being processed',
    title: 'Swap confirmed',
    body: 'Your swap from {symbolA} to {symbolB} is confirmed, processing withdrawal.',
    sample: swap('ProcessingWithdrawal'),
  }),
  define({
    key: 'swap.completed',
    op: 'swap.ProcessingWithdrawal',
    group: 'swaps',
    unit: 'ms',
    description: 'A swap is completed, and its withdrawal is being processed',
    title: 'Swap completed',
    body: 'You have successfully swapped {symbolA} to {symbolB}.\nWithdrawal is now being processed.',
    sample: swap('ProcessingWithdrawal'),
    rewarded: true,
  }),
  define({
    key: 'swap.exceed_slippage',
    op: 'swap.ExceedSlippage',
    group: 'swaps',
    unit: 'ms',
    description: 'A swap failed, because the price moved too far',
    title: 'Swap failed',
    body: swapFailed,
    sample: swap('ExceedSlippage'),
  }),
  define({
    key: 'swap.different_deposit_amount',
    op: 'swap.DifferentDepositAmount',
    group: 'swaps',
    unit: 'ms',
    description: 'A swap failed, because another amount was deposited than agreed',
    title: 'Swap failed',
    body: swapFailed,
    sample: swap('DifferentDepositAmount'),
  }),
]
