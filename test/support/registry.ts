import { readFileSync } from 'node:fs'

/** The blocks of IANA's special-purpose registries, as published, with whether each is globally reachable. */
export function readRegistries(): [block: string, reachable: boolean][] {
  return [4, 6].flatMap((version) => {
    const file = new URL(`../vectors/iana-ipv${version}-special-registry-2026-07-18.csv`, import.meta.url)
    const rows = [...records(readFileSync(file, 'utf8'))].slice(1)
    return rows.flatMap((row) =>
      row[0]!.split(',').map((block): [string, boolean] => [block.trim().split(' ')[0]!, row[8]!.trim() === 'True']),
    )
  })
}

/** The records of a CSV file, quotes and line breaks within them understood (RFC 4180). */
function* records(csv: string): Generator<string[]> {
  let [record, field, quoted]: [string[], string, boolean] = [[], '', false]
  for (const character of csv.replaceAll('\r\n', '\n')) {
    if (character === '"') quoted = !quoted
    else if (quoted || (character !== ',' && character !== '\n')) field += character
    else {
      record.push(field)
      field = ''
      if (character === '\n') {
        if (record.length > 1) yield record
        record = []
      }
    }
  }
}
