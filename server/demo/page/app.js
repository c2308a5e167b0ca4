// A whole Mini App to read. It signs a person in with what Telegram says of them, keeps their session going, and learns at once when
// and why it ends. Tokens stay in memory and travel in the Authorization header: never in an address, never in a cookie.

const APP = 'ton-quest'
const RETRY_MS = 3_000
const find = (selector, within = document) => within.querySelector(selector)
const part = (device, name) => find(`[data-part="${name}"]`, device.root)

// ── Signing in ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Telegram's own script puts initData here; without the script it stands in the address that Telegram opened. */
const fromTelegram =
  window.Telegram?.WebApp?.initData || new URLSearchParams(location.hash.slice(1)).get('tgWebAppData')

/** Outside of Telegram the demo plays Telegram's part for its sample people. */
async function initDataOf(device) {
  if (fromTelegram) return { ok: true, body: { initData: fromTelegram } }
  return call(device, 'POST', '/demo/init-data', { body: { person: chosenPerson() } })
}

async function signIn(device) {
  const said = await initDataOf(device)
  if (!said.ok) return tell(device, 'bad', said.body.detail)
  const { initData } = said.body
  const { ok, body } = await call(device, 'POST', `/v1/apps/${APP}/telegram/login`, { body: { initData } })
  if (!ok) return tell(device, 'bad', body.detail)
  device.listening?.abort()
  device.login = body
  device.state = 'in'
  part(device, 'user').textContent = body.user.name ?? body.user.id
  part(device, 'session').textContent = shorten(body.session.id)
  part(device, 'since').textContent = timeOf(body.session.createdAt)
  part(device, 'inbox').replaceChildren()
  showToken(device)
  const others = body.evictedSessions.length
  tell(device, 'ok', others ? 'Signed in. The session on the other device was ended.' : 'Signed in.')
  listen(device)
}

// ── A session's life ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** What an app does before it shows something of worth. A refusal says why. */
async function check(device) {
  const { ok, status, body } = await call(device, 'GET', '/v1/session', { token: device.login.accessToken })
  if (ok) tell(device, 'ok', `The session is alive; its token for ${Math.round(body.expiresIn / 60)} more minutes.`)
  else await refused(device, status, body)
}

/** One at a time, whoever asks for it: a call, a stream, the person. */
function refresh(device) {
  return (device.renewing ??= renew(device).finally(() => (device.renewing = undefined)))
}

async function renew(device) {
  const { refreshToken } = device.login
  const { ok, status, body } = await call(device, 'POST', '/v1/token/refresh', { body: { refreshToken } })
  if (status === 401) return end(device, body, status)
  if (!ok) return tell(device, 'bad', body.detail)
  // An app with rotation answers a new refresh token too, and the old one is used up.
  Object.assign(device.login, body)
  showToken(device)
  tell(device, 'ok', 'The access token is new.')
}

async function sessions(device) {
  const { ok, status, body } = await call(device, 'GET', '/v1/me/sessions', { token: device.login.accessToken })
  if (!ok) return refused(device, status, body)
  const lines = body.items.map(
    (item) => `${item.current ? 'this one' : 'another'} in ${deviceName(item.device)}, since ${timeOf(item.createdAt)}`,
  )
  tell(device, 'ok', `${lines.length} live: ${lines.join('; ')}.`)
}

async function logOut(device) {
  const { ok, status, body } = await call(device, 'POST', '/v1/logout', { token: device.login.accessToken })
  if (ok) end(device, { reason: 'logout', detail: 'You signed out; sign in again' })
  else await refused(device, status, body)
}

/** An expired token is renewed; any other 401 means that the session is over, and says why. */
async function refused(device, status, problem) {
  if (problem.code === 'token_expired') await refresh(device)
  else if (status === 401) end(device, problem, status)
  else tell(device, 'bad', problem.detail)
}

/** The session is over. `said` comes from the stream or from a refused call; both say the same. */
function end(device, said, status) {
  device.listening.abort()
  device.state = 'over'
  device.over = said.reason === 'logout' ? 'Signed out' : 'Ended'
  const { replacedBy } = said
  const other = replacedBy && `The other sign-in: ${timeOf(replacedBy.at)}, in ${deviceName(replacedBy.device)}.`
  const answer = status && `Answered ${status}, ${said.reason ?? said.code}.`
  tell(device, said.reason === 'logout' ? '' : 'bad', `${said.detail}.`, other, answer)
}

// ── Listening ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

function listen(device) {
  device.listening = new AbortController()
  stream(device, '/v1/session/events', async ({ event, data }) => {
    if (event === 'session.ended') end(device, data)
    if (event === 'token.expired') await refresh(device)
  })
  stream(device, '/v1/me/notifications/stream', ({ data }) => {
    const item = element('li', {}, element('strong', {}, data.title), element('span', { class: 'soft' }, data.body))
    part(device, 'inbox').prepend(item)
    while (part(device, 'inbox').children.length > 2) part(device, 'inbox').lastChild.remove()
  })
}

/** Keeps a stream open as long as the session lives. EventSource sends no headers, so it is read with fetch. */
async function stream(device, path, happened) {
  const { signal } = device.listening
  // As EventSource does: whoever comes back says what they have seen, and is shown what came meanwhile.
  let seen
  while (!signal.aborted) {
    const headers = {
      authorization: `Bearer ${device.login.accessToken}`,
      ...(seen && { 'last-event-id': seen }),
    }
    const line = note(device, 'GET', path)
    try {
      const response = await fetch(path, { headers, signal })
      if (response.ok) {
        line.answered(response.status)
        await readEvents(response.body, (message) => {
          seen = message.id ?? seen
          if (!message.data) return undefined
          line.happened(message)
          return happened(message)
        })
      } else {
        const problem = await response.json()
        line.answered(response.status, problem)
        if (response.status === 401) await refused(device, 401, problem)
      }
    } catch (error) {
      if (!signal.aborted) line.answered(0, { detail: String(error) })
    }
    line.over()
    if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}

/** Server-Sent Events: messages end with an empty line, and lines that begin with a colon only keep the connection open. */
async function readEvents(stream, happened) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const messages = (text + value).split('\n\n')
    text = messages.pop()
    for (const message of messages) {
      const fields = Object.fromEntries([...message.matchAll(/^(\w+): ?(.*)$/gm)].map(([, name, said]) => [name, said]))
      await happened({ id: fields.id, event: fields.event, data: fields.data && JSON.parse(fields.data) })
    }
  }
}

// ── Calls and their log ───────────────────────────────────────────────────────────────────────────────────────────────────

async function call(device, method, path, { token, body } = {}) {
  const line = note(device, method, path, body)
  const headers = {
    ...(token && { authorization: `Bearer ${token}` }),
    ...(body && { 'content-type': 'application/json' }),
  }
  try {
    const response = await fetch(path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    const answer = response.status === 204 ? {} : await response.json()
    line.answered(response.status, answer)
    return { ok: response.ok, status: response.status, body: answer }
  } catch (error) {
    line.answered(0, { detail: String(error) })
    return { ok: false, status: 0, body: { detail: 'The server cannot be reached; try again' } }
  }
}

/** Tokens and what signs in are shown by their ends only. */
const shown = (value) =>
  JSON.stringify(value, (key, inner) => (/token$|^initData$/i.test(key) ? shorten(inner) : inner), 2)
const shorten = (text) => (text.length > 24 ? `${text.slice(0, 10)}…${text.slice(-6)}` : text)

/** A line of the log. */
function note(device, method, path, body) {
  const began = performance.now()
  const status = element('span', { class: 'status' }, '…')
  const took = element('span', { class: 'took soft' }, '')
  const more = element('div', { class: 'more' })
  const add = (name, value) => more.append(element('h3', {}, name), element('pre', {}, shown(value)))
  if (body) add('Sent', body)
  const what = element('code', {}, element('b', {}, method), ' ', path)
  const summary = element('summary', {}, element('span', { class: 'on' }, device.short), what, status, took)
  find('#log').prepend(element('li', {}, element('details', {}, summary, more)))
  while (find('#log').children.length > 100) find('#log').lastChild.remove()
  find('#nothing').hidden = true
  return {
    answered(code, answer) {
      status.textContent = code || 'failed'
      status.dataset.tone = code >= 200 && code < 300 ? 'ok' : 'bad'
      took.textContent = `${Math.round(performance.now() - began)} ms`
      more.prepend(element('p', { class: 'soft' }, `At ${timeOf(Date.now())}`))
      if (answer) add('Answered', answer)
      else if (code === 200) took.textContent = 'open'
    },
    happened: ({ event, data }) => add(`Event ${event}`, data),
    over() {
      if (took.textContent === 'open') took.textContent = 'closed'
    },
  }
}

// ── The page ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

const acts = { signIn, check, refresh, sessions, logOut }
const buttons = { out: ['signIn'], in: ['check', 'refresh', 'sessions', 'logOut'], over: ['check', 'signIn'] }

function makeDevice(name, short) {
  const root = find('#device').content.cloneNode(true).firstElementChild
  const device = { root, short, state: 'out' }
  const title = find('h2', root)
  title.textContent = name
  title.id = `device-${short}`
  root.setAttribute('aria-labelledby', title.id)
  for (const button of root.querySelectorAll('[data-act]'))
    button.addEventListener('click', async () => {
      if (device.busy) return
      device.busy = true
      try {
        await acts[button.dataset.act](device)
      } finally {
        device.busy = false
      }
    })
  find('#devices').append(root)
  tell(device, '', 'Nobody is signed in here.')
}

/** Says what happened, and offers what can be done now. */
function tell(device, tone, ...sentences) {
  const { root, state } = device
  const lines = sentences.filter(Boolean).map((sentence) => element('p', {}, sentence))
  part(device, 'notice').replaceChildren(...lines)
  part(device, 'notice').dataset.tone = tone
  part(device, 'badge').textContent = { out: 'Signed out', in: 'Signed in', over: device.over }[state]
  part(device, 'badge').dataset.tone = { out: '', in: 'ok', over: device.over === 'Ended' ? 'bad' : '' }[state]
  const focused = document.activeElement
  for (const button of root.querySelectorAll('[data-act]')) button.hidden = !buttons[state].includes(button.dataset.act)
  find('[data-act="check"]', root).textContent = state === 'over' ? 'Call again' : 'Check session'
  find('[data-act="signIn"]', root).textContent = state === 'over' ? 'Sign in again' : 'Sign in with Telegram'
  // Whoever works with the keyboard stays where they were.
  if (root.contains(focused) && focused.hidden) find('[data-act]:not([hidden])', root).focus()
}

function showToken(device) {
  const { accessToken, expiresIn } = device.login
  part(device, 'access').textContent = shorten(accessToken)
  part(device, 'until').textContent = timeOf(Date.now() + expiresIn * 1000)
}

const clock = new Intl.DateTimeFormat([], { timeStyle: 'medium' })
const timeOf = (moment) => clock.format(new Date(moment))

/** What a browser calls itself, in few words. */
function deviceName(agent) {
  const known = (names) => names.find((name) => agent?.includes(name))
  const program = known(['Telegram', 'Edg', 'Firefox', 'Chrome', 'Safari'])
  const system = known(['Windows', 'iPhone', 'iPad', 'Android', 'Mac', 'Linux'])
  return program ? `${program.replace(/^Edg$/, 'Edge')}${system ? ` on ${system}` : ''}` : agent || 'an unknown device'
}

function element(name, attributes, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.append(...children)
  return made
}

const page = { short: '·' }
const chosenPerson = () => Number(find('#person').value)

async function listPeople() {
  const person = find('#person')
  if (fromTelegram) {
    person.append(new Option('You, as Telegram says'))
    person.disabled = find('#notify').disabled = true
    return
  }
  const { ok, body } = await call(page, 'GET', '/demo/people')
  if (ok) person.append(...body.items.map(({ id, name }) => new Option(name, id)))
  else find('#hint').textContent = body.detail
}

find('#notify').addEventListener('click', async () => {
  const { ok, body } = await call(page, 'POST', '/demo/notification', { body: { person: chosenPerson() } })
  find('#hint').textContent = ok ? 'Sent, as the app’s own server would.' : body.detail
})
find('#clear').addEventListener('click', () => {
  find('#log').replaceChildren()
  find('#nothing').hidden = false
})
makeDevice('First device', '1')
makeDevice('Second device', '2')
await listPeople()
