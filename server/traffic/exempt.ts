import ipaddr from 'ipaddr.js'
import type { Config } from '#server/config.ts'
import { isWithin, parseNetworks } from '#server/http/address.ts'

/**
 * At which addresses findings may be acted upon. Not at a proxy's: behind it are all people, so that one bot would lock everybody out. Without trusted
 * proxies every address that is not public may be one that nobody has told us of. And not where a gateway in front does the limiting.
 */
export function answersTo(config: Pick<Config, 'trustProxy' | 'rateLimits'>): (ip: string) => boolean {
  if (!config.rateLimits) return () => false
  const proxies = parseNetworks(config.trustProxy)
  if (proxies.length > 0) return (ip) => !isWithin(ip, proxies)
  return (ip) => {
    if (!ipaddr.isValid(ip)) return false
    return !['loopback', 'private', 'linkLocal', 'uniqueLocal', 'carrierGradeNat'].includes(ipaddr.process(ip).range())
  }
}
