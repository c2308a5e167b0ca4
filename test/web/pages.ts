export const widths = [1440, 390, 320] as const
export const themes = ['light', 'dark'] as const
export type Theme = (typeof themes)[number]

/** Every page of the console; `ids` are real ones of the data behind it. */
export const pages = (ids: { session: string; user: string; app: string }) => [
  '/sign-in',
  '/setup?token=t',
  '/',
  '/sessions',
  `/sessions?session=${ids.session}`,
  '/sessions?q=nobody-is-called-this',
  `/sessions/${ids.session}`,
  '/users',
  `/users/${ids.user}`,
  '/apps',
  '/apps/new',
  `/apps/${ids.app}`,
  ...['policy', 'audiences', 'telegram', 'ton', 'network', 'keys', 'branding', 'danger'].map(
    (tab) => `/apps/${ids.app}?tab=${tab}`,
  ),
  '/tokens',
  '/audit',
  '/operators',
  '/operators?tab=me',
  '/keys',
]
