/** What a user agent says of the program, the system and the device; null where it says nothing of it. */
export type Agent = { browser: string | null; os: string | null; model: string | null }

/** Takes a user agent apart, for one session that somebody looks at: with hundreds of patterns, it is nothing for every sign-in. */
export async function describeAgent(userAgent: string | null): Promise<Agent> {
  if (!userAgent) return { browser: null, os: null, model: null }
  const { UAParser } = await import('ua-parser-js')
  const { browser, os, device } = UAParser(userAgent)
  return {
    browser: words(browser.name, browser.major),
    // Macs have said 10.15.7 since 2020, whatever they run.
    os: os.name === 'Mac OS' ? 'macOS' : words(os.name, os.version),
    model: words(device.vendor, device.model === 'Macintosh' ? 'Mac' : device.model),
  }
}

const words = (...parts: (string | undefined)[]): string | null => parts.filter(Boolean).join(' ') || null
