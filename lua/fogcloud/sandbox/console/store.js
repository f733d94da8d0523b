// SPDX-License-Identifier: MIT
// What the page knows: the timeline as it comes, tables that are asked for when they have changed, and the calls that
// change something. Nothing is kept in the browser; the key stands in the address, behind #, which is never sent.

const KEPT = 10000
const RATES = 120
const SOON = 250
const AGAIN = 2000 // after a refusal, which a browser does not try again by itself

export const state = {
  entries: [], rates: [], pulse: null, info: null, tables: null, links: null, faults: null, online: false, restarted: false, loading: true
}

const listeners = new Set()

export function onChange (listener) { listeners.add(listener) }

let waiting = false

// Listeners are told some times a second, however much comes, and less often in a flood, which is not read but counted.
export function changed () {
  if (waiting) return
  waiting = true
  setTimeout(() => {
    waiting = false
    for (const listener of listeners) listener()
  }, state.flood ? 500 : 60)
}

export function address () { return new URLSearchParams(location.hash.slice(1)) }

export function key () { return address().get('key') || '' }

export async function get (path) {
  const reply = await fetch(`/_sandbox/${path}`, { cache: 'no-store' })
  return reply.json()
}

// Changes something; says why not by throwing.
export async function send (method, path, body) {
  const reply = await fetch(`/_sandbox/${path}`, {
    method,
    headers: { 'Content-Type': 'application/json', 'X-Fogcloud-Sandbox-Key': key() },
    body: method === 'DELETE' ? undefined : JSON.stringify(body || {})
  })
  const said = await reply.json()
  if (!reply.ok) throw new Error(said.error || reply.statusText)
  refreshSoon()
  return said
}

let timer = null
let asked = 0

export function refreshSoon () {
  if (timer === null) timer = setTimeout(refresh, Math.max(SOON, asked + 4 * SOON - Date.now()))
}

async function refresh () {
  timer = null
  asked = Date.now()
  try {
    const [tables, links, faults] = await Promise.all([get('state'), get('links'), get('faults')])
    if (!state.info || tables.devices.length !== state.info.devices.length) state.info = await get('info')
    Object.assign(state, { tables, links, faults, loading: false })
  } catch { /* the stream tells when it is there again */ }
  changed()
}

const CHANGES = new Set(['control', 'login', 'bye'])

function take (entries) {
  for (const entry of entries) {
    if (CHANGES.has(entry.kind) || (entry.kind === 'call' && entry.endpoint !== 'products') || entry.fault) refreshSoon()
    if (entry.kind === 'control' && entry.call === 'POST seed') state.info = null
  }
  state.flood = entries.some(entry => entry.kind === 'skipped')
  const last = state.entries.length > 0 ? state.entries[state.entries.length - 1].id : 0
  const fresh = entries.filter(entry => entry.id > last)
  state.entries = state.entries.concat(fresh)
  if (state.entries.length > KEPT) state.entries = state.entries.slice(-KEPT)
}

function beat (pulse) {
  const before = state.pulse
  if (before && pulse.time > before.time) {
    const rate = Math.max(0, (pulse.messages - before.messages) / (pulse.time - before.time))
    state.rates.push(rate)
    if (state.rates.length > RATES) state.rates.shift()
  }
  state.pulse = pulse
  state.heard = Date.now() / 1000
}

function listen () {
  const events = new EventSource('/_sandbox/events')
  const on = (name, take) => events.addEventListener(name, event => {
    take(JSON.parse(event.data))
    changed()
  })
  events.addEventListener('open', () => {
    state.online = true
    refreshSoon()
    changed()
  })
  events.addEventListener('error', () => {
    state.online = false
    changed()
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN)
  })
  on('entries', take)
  on('pulse', beat)
  on('restart', () => Object.assign(state, { entries: [], rates: [], pulse: null, info: null, restarted: true }))
}

export function start () {
  listen()
  refresh()
}

// The sandbox's time now: it goes on between two pulses, unless it is frozen.
export function sandboxNow () {
  if (!state.pulse) return 0
  return state.pulse.now + (state.pulse.frozen ? 0 : Date.now() / 1000 - state.heard)
}
