const names = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' })

/** What a list may be narrowed to besides countries. */
export const NOWHERE = 'unknown'

/** Regions that a locale knows and no address is in: groups of countries, codes for trying things out. */
const none = new Set(['EU', 'EZ', 'UN', 'QO', 'XA', 'XB', 'ZZ'])

/** A country by its two letters, in English as the console is; null is unknown. */
export const countryName = (code: string | null): string =>
  code === null || code === NOWHERE ? 'Unknown country' : (/^[A-Z]{2}$/.test(code) && names.of(code)) || code

let all: { value: string; label: string }[] | undefined

/** Every country by its name: of all pairs of letters, those that are one and are its only code. */
export function countries(): { value: string; label: string }[] {
  const letters = Array.from({ length: 26 }, (_, place) => String.fromCharCode(65 + place))
  all ??= letters
    .flatMap((first) => letters.map((second) => first + second))
    .flatMap((code) => {
      const name = none.has(code) ? undefined : names.of(code)
      return name && new Intl.Locale(`und-${code}`).region === code ? [{ value: code, label: name }] : []
    })
    .sort((one, other) => one.label.localeCompare(other.label, 'en'))
  return all
}
