import { expect, test } from 'vitest'
import { loadConfig } from '../server/config.ts'
import { doubts } from '../server/doubts.ts'

test.each([
  ['PORT', '-1'],
  ['PORT', '0x10'],
  ['PORT', '1e3'],
  ['PORT', '65536'],
  ['HOST', 'not a host'],
  ['HOST', 'http://localhost'],
  ['DATABASE_URL', 'mysql://db'],
  ['DATABASE_URL', 'postgres://'],
  ['DATABASE_URL', 'postgres://u:hunter2@db:99999/x'],
  ['DATABASE_URL', 'file:'],
  ['GATEHOUSE_SECRET_KEY', 'hunter2'],
  ['GATEHOUSE_PUBLIC_URL', 'auth.example.com'],
  ['GATEHOUSE_PUBLIC_URL', 'https://u:hunter2@auth.example.com'],
  ['GATEHOUSE_PUBLIC_URL', 'https://auth.example.com/?hunter2'],
  ['GATEHOUSE_PUBLIC_URL', 'https://auth.example.com/gatehouse'],
  ['GATEHOUSE_TRUST_PROXY', '10.0.0.0/40'],
  ['GATEHOUSE_ALLOW_NETWORKS', 'localhost'],
  ['GATEHOUSE_RATE_LIMITS', 'OFF'],
  ['GATEHOUSE_ENV', 'test'],
  ['LOG_LEVEL', 'loud'],
  ['SMTP_URL', 'http://u:hunter2@mail'],
  ['SMTP_URL', 'smtp://['],
  ['SMTP_URL', 'smtp://u:hunter2@mail:99999'],
  ['TON_API_URL', 'toncenter.com'],
  ['TON_API_URL', 'https://u:hunter2@toncenter.com'],
  ['TON_API_KEY', 'hunter2\nhunter2'],
  ['TON_API_RATE', 'fast'],
  ['TELEGRAM_API_URL', 'file:///etc/hostname'],
])('%s=%s is refused in one line with its name and an example, and without a secret', (name, value) => {
  const read = () => loadConfig({ [name]: value })
  expect(read).toThrow(new RegExp(`^${name} [^\\n]+; for example ${name}=[^\\n]+$`))
  expect(read).not.toThrow('hunter2')
})

test.each([
  ['https://toncenter.com', 'https://toncenter.com/api/v3'],
  ['https://testnet.toncenter.com/', 'https://testnet.toncenter.com/api/v3'],
  ['https://ton.example/api/v2/', 'https://ton.example/api/v2'],
  // As @ton/ton's client has it.
  ['https://toncenter.com/api/v2/jsonRPC', 'https://toncenter.com/api/v2'],
  ['https://ton.example/api/v2/jsonRPC/', 'https://ton.example/api/v2'],
])('TON_API_URL=%s is the API at %s', (given, url) => {
  expect(loadConfig({ TON_API_URL: given }).tonApi).toEqual({ url, key: undefined })
})

test('a blank value counts as none', () => {
  expect(loadConfig({ PORT: ' ', HOST: '', SMTP_URL: ' ' })).toMatchObject({ port: 3000, host: '127.0.0.1' })
})

test('a public URL may end in a slash', () => {
  expect(loadConfig({ GATEHOUSE_PUBLIC_URL: 'https://auth.example.com/' }).publicUrl).toBe('https://auth.example.com')
})

test.each([
  ['trustProxy', '10.0.0.0/8, 2001:db8::/32', 0],
  ['trustProxy', '0.0.0.0/0', 1],
  ['trustProxy', '::/0 0.0.0.0/0', 2],
  ['allowNetworks', '10.20.0.0/16 127.0.0.1/32 169.254.1.1 ::1 fd00::/8 0.0.0.0/0', 0],
  ['allowNetworks', '127.0.0.0/8', 1],
  ['allowNetworks', '169.254.0.0/16 fe80::/10 8.8.8.0/24', 3],
])('of %s %s is hardly meant: %i', (setting, value, count) => {
  const none = { trustProxy: [], allowNetworks: [], countryHeader: undefined }
  const found = doubts({ ...none, [setting]: value.split(/[, ]+/) })
  expect(found).toHaveLength(count)
  for (const sentence of found) expect(sentence).toMatch(/^GATEHOUSE_[A-Z_]+ (is|holds) \S+[:,] [^\n]+$/)
})

test('a header that nobody is believed in is hardly meant', () => {
  const countryHeader = 'cf-ipcountry'
  expect(doubts({ trustProxy: [], allowNetworks: [], countryHeader })).toEqual([
    'GATEHOUSE_COUNTRY_HEADER is cf-ipcountry, but GATEHOUSE_TRUST_PROXY names no proxy to believe it of',
  ])
  expect(doubts({ trustProxy: ['10.0.0.0/8'], allowNetworks: [], countryHeader })).toEqual([])
})
