import { isIP } from 'node:net'
import { isWithin, parseNetworks, plainAddress } from '#server/http/address.ts'
import { placeOf } from './place.ts'
import { readNetwork } from './target.ts'

/** An address or a network that somebody asks about, in any spelling: what is written of it, and whom it covers. */
export function spotOf(text: string) {
  if (isIP(text)) {
    const place = placeOf(plainAddress(text))
    return {
      ...{ place, network: undefined, values: [place.ip, place.address, place.network] },
      holds: (ip: string) => ip === place.ip,
    }
  }
  const read = readNetwork(text)
  if ('fault' in read) return undefined
  const range = parseNetworks([read.text])
  return {
    ...{ place: undefined, network: read.text, values: [read.text] },
    holds: (ip: string) => isWithin(ip, range),
  }
}
