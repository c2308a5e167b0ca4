import type { Config } from './config.ts'
import { opensNothing } from './http/outbound/guard.ts'

/** Settings that are valid but hardly meant, one sentence each: told at the start and by doctor. */
export function doubts({
  trustProxy,
  allowNetworks,
  countryHeader,
}: Pick<Config, 'trustProxy' | 'allowNetworks' | 'countryHeader'>): string[] {
  return [
    ...(countryHeader && trustProxy.length === 0
      ? [`GATEHOUSE_COUNTRY_HEADER is ${countryHeader}, but GATEHOUSE_TRUST_PROXY names no proxy to believe it of`]
      : []),
    ...trustProxy
      .filter((network) => /\/0+$/.test(network))
      .map((network) => `GATEHOUSE_TRUST_PROXY is ${network}: whoever calls may say what address they call from`),
    ...allowNetworks
      .filter(opensNothing)
      .map(
        (network) =>
          `GATEHOUSE_ALLOW_NETWORKS holds ${network}, which opens nothing: whole networks open where they are private, such as 10.20.0.0/16, all else as one address, such as 127.0.0.1/32`,
      ),
  ]
}
