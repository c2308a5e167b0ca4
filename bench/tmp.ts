import { fork } from 'node:child_process'
import { once } from 'node:events'
import { drive } from './load.ts'
import { initDataOf } from './people.ts'
import { ssoLogins } from './sso.ts'
const start = async (name: string, execArgv: string[] = []) => { const child = fork(new URL(`./targets/${name}.ts`, import.meta.url), { execArgv, stdio: ['ignore','ignore','inherit','ipc'] }); const [hello] = await once(child, 'message') as any[]; return { child, pid: child.pid!, hello } }
const g = await start('gatehouse', process.argv.includes('--prof') ? ['--cpu-prof', '--cpu-prof-dir=/tmp/sso-prof'] : [])
const t = await start('tokenInfo')
const bodies = Array.from({ length: 4000 }, (_, n) => JSON.stringify({ initData: initDataOf(n) }))
const tg = () => drive(g.hello.url, g.pid, { method: 'POST', path: '/v1/apps/jwt/telegram/login', headers: {'content-type':'application/json'}, bodies }, 4)
await tg(); console.log('telegram', await tg())
const r = await ssoLogins({ url: g.hello.url, pid: g.pid, operatorToken: g.hello.operatorToken }, t.hello.url, { seconds: 4, rounds: 1, people: 4000 })
console.log(r.alone, r.beside)
g.child.send({ exit: true }); await once(g.child, 'exit'); process.exit()
