import { drive, type Measured } from './load.ts'

type Gatehouse = { url: string; pid: number; operatorToken: string }
type Options = { seconds: number; rounds: number; people: number }

/** What a hanging app is asked for: sign-ins a second, from beginning to end. */
const HANGING_A_SECOND = 50

/**
 * ssoLogin through an upstream that answers at once, every login evicting the person's last; and the same while the upstream of another app hangs and people
 * keep trying to sign in there. The two are measured in turn.
 */
export async function ssoLogins(
  gatehouse: Gatehouse,
  tokenInfo: string,
  { seconds, rounds, people }: Options,
): Promise<{ alone: Measured[]; beside: Measured[] }> {
  const { url, pid } = gatehouse
  await makeApp(gatehouse, 'sso', `${tokenInfo}/tokeninfo`)
  await makeApp(gatehouse, 'hanging', `${tokenInfo}/hang`)
  const measured = { alone: [] as Measured[], beside: [] as Measured[] }
  let tokens = 0
  // Each token once: one that was accepted a moment ago would not be asked about.
  const login = () => {
    const bodies = Array.from({ length: 60_000 }, () => JSON.stringify({ token: `t-${tokens % people}-${tokens++}` }))
    return drive(
      url,
      pid,
      { method: 'POST', path: '/v1/apps/sso/sso/login', headers: { 'content-type': 'application/json' }, bodies },
      seconds,
    )
  }
  await login()
  for (let round = 0; round < rounds; round++) {
    measured.alone.push(await login())
    const stop = keepTrying(url)
    measured.beside.push(await login())
    await stop()
  }
  return measured
}

async function makeApp({ url, operatorToken }: Gatehouse, slug: string, tokenInfoUrl: string): Promise<void> {
  const response = await fetch(`${url}/api/v1/apps`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${operatorToken}` },
    body: JSON.stringify({ name: slug, slug, sso: { tokenInfoUrl, audiences: ['bench'] } }),
  })
  if (!response.ok) throw new Error(`The app ${slug} was not made: ${response.status} ${await response.text()}`)
}

/** People who try to sign in to the app whose upstream hangs; the answer stops them. */
function keepTrying(url: string): () => Promise<void> {
  const tries = new Set<Promise<unknown>>()
  let n = 0
  const timer = setInterval(() => {
    const attempt = fetch(`${url}/v1/apps/hanging/sso/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: `h-${n++}-${Date.now()}` }),
    }).then((response) => response.text())
    tries.add(attempt)
    void attempt.finally(() => tries.delete(attempt))
  }, 1000 / HANGING_A_SECOND)
  return async () => {
    clearInterval(timer)
    await Promise.allSettled(tries)
  }
}
