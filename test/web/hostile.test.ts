import { expect, test } from 'vitest'
import { telegramApp } from '../support/signIn.ts'
import { bearer, consoleClient, operatorToken } from '../support/operator.ts'
import { drawn, useBrowser, visit } from './browser.ts'
import { addOperator, signIn, signInOperator, startInstallation } from './installation.ts'

const browser = useBrowser()

/** Each would call `pwned` where it is taken for anything but text. */
const payloads = [
  `<img src=x onerror=pwned()>`,
  `"><script>pwned()</script>`,
  `<svg/onload=pwned()>`,
  `javascript:pwned()//`,
  `{{constructor.constructor('pwned()')()}}`,
  `\${pwned()}`,
  `</script><script>pwned()</script>`,
  `'-pwned()-'`,
  `<iframe srcdoc="<script>parent.pwned()</script>">`,
  `<a href="javascript:pwned()">x</a>`,
  `<style>@import'javascript:pwned()'</style>`,
  `<math><mtext></form><form><mglyph><style></math><img src onerror=pwned()>`,
]

test('what people and apps are called is text on every page, and runs nowhere', async () => {
  const server = await startInstallation()
  const token = await operatorToken(server)
  const client = consoleClient(server, bearer(token))
  const pages = ['/', '/apps', '/sessions', '/users', '/audit', '/operators', '/traffic?tab=blocks', '/emails']
  for (const [at, payload] of payloads.entries()) {
    const name = payload.slice(0, 100)
    const app = await telegramApp(server, { name, slug: `app-${at}`, branding: { appName: name, copyright: name } })
    const user = { id: 9000 + at, first_name: name, last_name: name, username: `person${at}` }
    const signedIn = (await signIn(server, app, user, payload)).body
    await client.apiKeys.create.mutate({ appId: app.publicId, name, scopes: ['events:write'] })
    await client.users.block.mutate({ id: signedIn['user'].id, reason: payload })
    await client.blocks.create.mutate({ kind: 'address', value: `203.0.113.${at + 1}`, reason: payload })
    pages.push(`/users/${signedIn['user'].id}`, `/sessions/${signedIn['session'].id}`, `/apps/${app.publicId}?tab=keys`)
  }
  const cookie = await signInOperator(server, await addOperator(server, 'viewer', payloads[0]))
  const { page, complaints, close } = await visit(browser(), server, { cookie, patience: 15_000 })
  const ran: string[] = []
  await page.exposeFunction('pwned', () => void ran.push(page.url()))
  page.on('dialog', (dialog) => {
    ran.push(`${page.url()} ${dialog.message()}`)
    void dialog.dismiss()
  })
  let shown = 0
  for (const path of pages) {
    await page.goto(`/console${path}`)
    await drawn(page)
    const text = await page.evaluate(() => document.body.innerText)
    if (payloads.some((payload) => text.includes(payload.slice(0, 20)))) shown++
  }
  // The pages did show it, or nothing would have been tried.
  expect(shown).toBeGreaterThan(payloads.length * 2)
  expect(ran).toEqual([])
  expect(complaints).toEqual([])
  await close()
  await server.stop()
}, 240_000)
