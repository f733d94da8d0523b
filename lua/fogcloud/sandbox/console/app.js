// SPDX-License-Identifier: MIT
// The frame: which panel is shown, and how the sandbox is.
import { h } from './dom.js'
import { language, t } from './i18n.js'
import { address, key, onChange, start, state } from './store.js'
import { answerCommands } from './devices.js'
import overview from './overview.js'
import devices from './devices.js'
import clients from './clients.js'
import messages from './messages.js'
import requests from './requests.js'
import faults from './faults.js'
import clock from './clock.js'
import timeline from './timeline.js'

const PANELS = {
  overview: ['Overview', overview],
  devices: ['Devices', devices, () => state.tables?.devices.length],
  clients: ['Clients', clients, () => state.tables?.clients.length],
  messages: ['Messages', messages, () => state.pulse?.messages],
  requests: ['Requests', requests, () => state.pulse?.calls],
  faults: ['Faults', faults, () => state.faults?.faults.filter(fault => fault.left !== 0).length],
  clock: ['Clock', clock],
  timeline: ['Timeline', timeline]
}

const main = document.getElementById('main')
const nav = document.getElementById('nav')
let current = null
let panel = null

function hash (name) {
  const place = address()
  place.set('panel', name)
  return '#' + place.toString()
}

function show () {
  const name = address().get('panel')
  const wanted = PANELS[name] ? name : 'overview'
  if (wanted === current) return
  current = wanted
  const [title, make] = PANELS[wanted]
  panel = make()
  main.replaceChildren(h('div', { id: 'notice' }), ...panel.elements)
  document.title = `${t(title)} · fogcloud sandbox`
  draw()
}

function lamp (kind, text) { return h('span', { class: 'tag ' + kind }, text) }

function drawStatus () {
  const pulse = state.pulse
  const parts = [state.online ? lamp('good', t('connected')) : lamp('bad', t(state.loading ? 'connecting…' : 'not connected'))]
  if (pulse) {
    parts.push(pulse.broker ? lamp('good', t('broker up')) : lamp('bad', t('broker down')))
    if (pulse.frozen) parts.push(lamp('warn', t('clock frozen')))
    else if (Math.abs(pulse.now - pulse.time) > 1) parts.push(lamp('warn', t('clock moved')))
  }
  if (!key()) parts.push(lamp('warn', t('read_only')))
  const words = parts.map(part => part.textContent).join()
  if (drawStatus.words === words) return
  drawStatus.words = words
  document.getElementById('status').replaceChildren(...parts)
}

function drawNav () {
  if (!nav.firstChild) {
    nav.replaceChildren(...Object.entries(PANELS).map(([name, [title]]) =>
      h('a', { href: hash(name), 'data-panel': name }, t(title), h('span', { class: 'count' }))))
  }
  for (const link of nav.children) {
    const name = link.dataset.panel
    const count = PANELS[name][2]?.()
    link.lastChild.textContent = count || ''
    if (name === current && !link.hasAttribute('aria-current')) {
      link.setAttribute('aria-current', 'page')
      nav.scrollLeft = link.offsetLeft - nav.clientWidth / 2
    } else if (name === current) continue
    else link.removeAttribute('aria-current')
  }
}

function drawNotice () {
  const place = document.getElementById('notice')
  let text = ''
  if (state.restarted) text = t('The sandbox was started anew. This page shows the new one; to change something, open the address that it printed.')
  else if (!key()) text = t('The page cannot change anything: open the address that was printed at the start, with its key.')
  if (place.textContent !== text) place.replaceChildren(...(text ? [h('div', { class: 'banner' }, text)] : []))
}

function draw () {
  drawStatus()
  drawNav()
  drawNotice()
  panel.draw()
}

document.documentElement.lang = language
nav.setAttribute('aria-label', t('Panels'))
document.getElementById('skip').textContent = t('Skip to content')
document.getElementById('skip').addEventListener('click', event => {
  event.preventDefault()
  main.focus()
})
addEventListener('hashchange', () => {
  nav.replaceChildren()
  show()
  draw()
})
onChange(answerCommands)
onChange(draw)
show()
start()
