/** The least contrast that text of this size must have (WCAG 1.4.3). */
const LEAST = 4.5

/** A colour such as #ffcc00 darkened until text in it can be read on white. */
export function readableOnWhite(color: string): string {
  let channels = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16))
  while (1.05 / (luminance(channels) + 0.05) < LEAST) channels = channels.map((channel) => Math.floor(channel * 0.95))
  return `#${channels.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`
}

/** WCAG's relative luminance, 0 to 1. */
function luminance(channels: number[]): number {
  const [red, green, blue] = channels.map((channel) => {
    const share = channel / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
}
