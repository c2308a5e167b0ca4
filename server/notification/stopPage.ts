import { directionOf } from '#server/email/builtin.ts'
import { escapeHtml } from '#server/email/engine.ts'
import type { Locale } from '#server/email/kinds.ts'
import { noticeWords } from '#server/email/notice.ts'
import type { Group } from '#server/event/catalogue.ts'

/** `ask` before anything is changed: programs that look at the links of a mail follow them too. */
export type StopState = 'ask' | 'stopped' | 'started'

const STYLE = `:root{color-scheme:light dark;--page:#f3f4f6;--card:#fff;--ink:#14171c;--soft:#5b6472;--line:#e3e6ea}
@media(prefers-color-scheme:dark){:root{--page:#111317;--card:#1b1e24;--ink:#f2f4f7;--soft:#aeb5c0;--line:#30343d}}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--page);color:var(--ink);font:16px/1.5 -apple-system,BlinkMacSystemFont,"Segoe UI",Roboto,"Helvetica Neue",Arial,"PingFang SC","Microsoft YaHei",sans-serif}
main{box-sizing:border-box;width:min(28rem,calc(100vw - 2rem));margin:1rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:14px}
small{color:var(--soft);font-size:.95rem;font-weight:600}h1{margin:.75rem 0 .5rem;font-size:1.35rem;line-height:1.3;text-wrap:balance}p{margin:0 0 1.5rem;color:var(--soft);text-wrap:pretty}
button{font:inherit;font-weight:600;color:var(--card);background:var(--ink);border:0;border-radius:9px;padding:.65rem 1.15rem;cursor:pointer}button:focus-visible{outline:3px solid #5b8def;outline-offset:2px}`

/** The page behind “stop these mails”, in the person's language, for browsers of every kind: nothing runs on it. */
export function stopPage(app: string, locale: Locale, group: Group, state: StopState): string {
  const say = noticeWords(locale, app, group)
  const title = { ask: 'stopTitle', stopped: 'stoppedTitle', started: 'startedTitle' } as const
  const text = { ask: 'stopText', stopped: 'stoppedText', started: 'startedText' } as const
  const stops = state !== 'stopped'
  return `<!doctype html><html lang="${locale}" dir="${directionOf(locale)}"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>${escapeHtml(say(title[state]))}</title><style>${STYLE}</style>
<main><small>${escapeHtml(app)}</small><h1>${escapeHtml(say(title[state]))}</h1><p>${escapeHtml(say(text[state]))}</p>
<form method="post"><input type="hidden" name="mails" value="${stops ? 'off' : 'on'}"><button>${escapeHtml(say(stops ? 'stopButton' : 'startButton'))}</button></form></main></html>`
}
