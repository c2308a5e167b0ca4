import type { Populated } from './installation.ts'

/** Every page of the console, opened with ids that are there. */
export const routes = ({ ids }: Populated) => [
  { path: '/sign-in', title: 'Sign in' },
  { path: '/setup?token=t', title: 'Create the first operator' },
  { path: '/', title: 'Overview' },
  { path: '/sessions', title: 'Sessions' },
  { path: `/sessions?session=${ids.session}`, title: 'Sessions' },
  { path: '/sessions?q=nobody-is-called-this', title: 'Sessions' },
  { path: `/sessions/${ids.session}`, title: '@jack_40' },
  { path: `/sessions/${ids.evicted}`, title: '@jack_40' },
  { path: '/users', title: 'Users' },
  { path: `/users/${ids.user}`, title: '@jack_40' },
  { path: '/apps', title: 'Apps' },
  { path: '/apps/new', title: 'New app' },
  { path: `/apps/${ids.app}`, title: 'Ton Quest' },
  ...['policy', 'audiences', 'telegram', 'ton', 'sso', 'network', 'keys', 'branding', 'posture', 'danger'].map(
    (tab) => ({
      path: `/apps/${ids.app}?tab=${tab}`,
      title: 'Ton Quest',
    }),
  ),
  { path: '/?range=7d', title: 'Overview' },
  { path: '/traffic', title: 'Traffic' },
  ...['blocks', 'rules', 'why', 'why&q=203.0.113.66'].map((tab) => ({ path: `/traffic?tab=${tab}`, title: 'Traffic' })),
  { path: '/tokens', title: 'Tokens' },
  { path: '/audit', title: 'Audit log' },
  { path: '/operators', title: 'Operators' },
  { path: '/operators?tab=me', title: 'Operators' },
  { path: '/keys', title: 'Signing keys' },
  { path: '/nowhere', title: 'Not found' },
]
