import AppWindow from '@lucide/svelte/icons/app-window'
import Bell from '@lucide/svelte/icons/bell'
import Hourglass from '@lucide/svelte/icons/hourglass'
import KeyRound from '@lucide/svelte/icons/key-round'
import LayoutDashboard from '@lucide/svelte/icons/layout-dashboard'
import Mail from '@lucide/svelte/icons/mail'
import MonitorSmartphone from '@lucide/svelte/icons/monitor-smartphone'
import ScanSearch from '@lucide/svelte/icons/scan-search'
import ScrollText from '@lucide/svelte/icons/scroll-text'
import ShieldUser from '@lucide/svelte/icons/shield-user'
import ShieldAlert from '@lucide/svelte/icons/shield-alert'
import SquarePen from '@lucide/svelte/icons/square-pen'
import Users from '@lucide/svelte/icons/users'

export const main = [
  { path: '/', label: 'Overview', key: 'o', icon: LayoutDashboard },
  { path: '/sessions', label: 'Sessions', key: 's', icon: MonitorSmartphone },
  { path: '/users', label: 'Users', key: 'u', icon: Users },
  { path: '/apps', label: 'Apps', key: 'a', icon: AppWindow },
  { path: '/traffic', label: 'Traffic', key: 'w', icon: ShieldAlert },
  { path: '/notifications', label: 'Notifications', key: 'n', icon: Bell },
  { path: '/emails', label: 'Mails', key: 'm', icon: Mail },
  { path: '/templates', label: 'Mail templates', key: 'e', icon: SquarePen },
  { path: '/tokens', label: 'Tokens', key: 't', icon: ScanSearch },
  { path: '/audit', label: 'Audit log', key: 'l', icon: ScrollText },
]
export const foot = [
  { path: '/operators', label: 'Operators', key: 'p', icon: ShieldUser },
  { path: '/retention', label: 'Retention', key: 'r', icon: Hourglass },
  { path: '/keys', label: 'Signing keys', key: 'k', icon: KeyRound },
]

export const isHere = (routeId: string | null, path: string) => {
  const at = (routeId ?? '').replace('/(console)', '') || '/'
  return path === '/' ? at === '/' : at === path || at.startsWith(`${path}/`)
}
