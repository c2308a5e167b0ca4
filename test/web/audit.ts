/// <reference lib="dom" />
import type { Page } from 'playwright-core'
import { violationsOf } from './axe.ts'
import { setTheme, themeOf, type Theme } from './browser.ts'

const rulesIn: Record<Theme, Parameters<typeof violationsOf>[1]> = {
  light: { tags: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] },
  dark: { rules: ['color-contrast'] },
}

/**
 * What is wrong with the page as it stands: axe's findings at each width, in dark those on colours, for nothing else changes with the theme; and
 * sideways scrolling (WCAG 1.4.10).
 */
export async function audit(page: Page, widths: number[]): Promise<string[]> {
  const faults = new Set<string>()
  const { height } = page.viewportSize()!
  // From the theme that it is in to the other one, and at the next width back: drawing all anew costs as much as looking at it.
  let theme = await themeOf(page)
  for (const width of widths) {
    if (widths.length > 1) await page.setViewportSize({ width, height })
    for (const fault of await faultsOf(page, rulesIn[theme])) faults.add(`${theme} ${width}: ${fault}`)
    theme = theme === 'light' ? 'dark' : 'light'
    await setTheme(page, theme)
    for (const fault of await faultsOf(page, rulesIn[theme])) faults.add(`${theme} ${width}: ${fault}`)
    const sideways = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    )
    if (sideways > 0) faults.add(`${width}: ${sideways} px wider than the window`)
  }
  return [...faults]
}

async function faultsOf(page: Page, only: Parameters<typeof violationsOf>[1]): Promise<string[]> {
  return (await violationsOf(page, only)).flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.join(' ')} ${node.failureSummary?.split('\n')[1]?.trim() ?? ''}`),
  )
}
