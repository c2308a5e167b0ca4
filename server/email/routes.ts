import { createHash } from 'node:crypto'
import { Router, type Response } from 'express'
import { AppError } from '#server/error.ts'
import { spendUnknown } from '#server/http/authenticate.ts'
import type { Runtime } from '#server/runtime.ts'
import type { TemplateContent } from './builtin.ts'
import { escapeHtml, liquidFault } from './engine.ts'
import { renderSoon, type Rendered } from './render.ts'
import { sampleValues } from './sample.ts'
import { senderOf } from './sender.ts'
import { openShare } from './share.ts'
import type { Values } from './variables.ts'

/** Runs in the frame that the studio shows mails in: it puts each mail it is given into a frame of its own, in which nothing runs. */
const FRAME_SCRIPT = `addEventListener('message',e=>{if(e.source!==parent||typeof e.data?.html!=='string')return
const f=document.createElement('iframe');f.setAttribute('sandbox','');f.title='Mail';f.style.cssText='border:0;width:100%;height:100%;display:block'
f.srcdoc=e.data.html;document.body.replaceChildren(f);f.onload=()=>parent.postMessage({shown:e.data.turn},'*')});parent.postMessage({ready:true},'*')`

const FRAME = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Preview</title><style>html,body{margin:0;height:100%}</style><body><script>${FRAME_SCRIPT}</script></body></html>`

const STYLES_AND_IMAGES = "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:"

/** Mails as pages: the studio's frame, and previews that were shared. Neither lets anything of a mail run, load or lead away. */
export function emailRoutes(runtime: Runtime): Router {
  const router = Router()
  const scriptHash = createHash('sha256').update(FRAME_SCRIPT).digest('base64')

  router.get('/preview/frame', (_request, response) => {
    response.removeHeader('x-frame-options')
    response.setHeader('cache-control', 'public, max-age=3600')
    sendPage(
      response,
      `${STYLES_AND_IMAGES}; script-src 'sha256-${scriptHash}'; sandbox allow-scripts; frame-ancestors 'self'`,
      FRAME,
    )
  })

  router.get('/preview/:token', async (request, response) => {
    await spendUnknown(runtime, request, response)
    const { app, kind, locale, content, until, draft } = await openShare(runtime, request.params['token'])
    const mail = show(content, sampleValues(app, kind, locale, runtime.now()))
    const { name, address } = senderOf(runtime, app)
    response.setHeader('cache-control', 'no-store')
    response.setHeader('x-robots-tag', 'noindex')
    const facts = [
      `${name} <${address}>`,
      `${draft ? 'Draft' : 'Published'}, ${locale}, with sample data. This link works until ${until.toISOString().slice(0, 16).replace('T', ' ')} UTC.`,
    ]
    sendPage(
      response,
      `${STYLES_AND_IMAGES}; sandbox; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`,
      `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escapeHtml(mail.subject)}</title>
<style>html,body{margin:0;height:100%;font:14px/1.5 system-ui,sans-serif;color-scheme:light dark}body{display:flex;flex-direction:column}header{padding:12px 20px;border-bottom:1px solid #8884}h1{font-size:16px;margin:0}p{margin:2px 0 0;opacity:.75;overflow-wrap:anywhere}iframe{flex:1;border:0;width:100%;background:#fff}</style>
<header><h1>${escapeHtml(mail.subject)}</h1>${facts.map((fact) => `<p>${escapeHtml(fact)}</p>`).join('')}</header>
<iframe sandbox="" title="Mail" srcdoc="${escapeHtml(mail.html)}"></iframe></html>`,
    )
  })
  return router
}

/** @throws AppError conflict for a draft that cannot be rendered as it stands */
function show(content: TemplateContent, values: Values): Rendered {
  try {
    return renderSoon(content, values)
  } catch (error) {
    throw new AppError('conflict', `This draft cannot be shown yet: ${liquidFault(error).message}`)
  }
}

function sendPage(response: Response, policy: string, html: string): void {
  response.setHeader('content-security-policy', policy)
  response.type('html').send(html)
}
