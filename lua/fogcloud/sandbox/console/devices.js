// SPDX-License-Identifier: MIT
// Devices, who may talk to them, and playing one of them.
import { clockTime, field, h, List, select, toast } from './dom.js'
import { t } from './i18n.js'
import { key, send, state } from './store.js'
import { payloadOf } from './words.js'

const COMMANDS = 20

let chosen = null
const answering = new Set()
let answered = 0 // the last command that was answered by itself

async function act (method, path, body, said) {
  try {
    await send(method, path, body)
    if (said) toast(t(said))
  } catch (error) { toast(error.message) }
}

function report (device, channel, payload, qos, retain) {
  return act('POST', 'report', { device, channel, payload, qos, retain }, 'reported')
}

// Commands to devices that answer by themselves, while this page is open.
export function answerCommands () {
  const fresh = state.entries.filter(entry => entry.id > answered && entry.kind === 'message' && entry.topic.startsWith('c2d/'))
  answered = state.entries.length > 0 ? state.entries[state.entries.length - 1].id : answered
  for (const entry of fresh) {
    const device = entry.topic.split('/')[1]
    if (answering.has(device) && state.links?.played.includes(device)) report(device, 'status', payloadOf(entry), 1, false)
  }
}

const isOnline = id => state.links?.connected.some(link => link.login === id)
const isPlayed = id => state.links?.played.includes(id)
const clientsOf = id => (state.tables?.grants || []).filter(grant => grant.device_id === id).map(grant => grant.clientid)

function lastOf (id) {
  const last = state.links?.last.find(each => each.device === id)
  return last ? clockTime(last.time).slice(0, 8) : t('never')
}

function permissions (id) {
  const allowed = clientsOf(id)
  const others = (state.tables?.clients || []).filter(client => !allowed.includes(client.clientid))
  const choice = select(others.slice(0, 500).map(client => [client.clientid, client.clientid]), null, {})
  const add = h('form', { class: 'fields', onsubmit: event => {
    event.preventDefault()
    act('POST', 'grants', { client_id: choice.value, device_id: id }, 'granted')
  } }, field(t('Client'), choice), h('button', { disabled: !key() || others.length === 0 }, t('Grant')))
  const query = client => `grants?client_id=${encodeURIComponent(client)}&device_id=${encodeURIComponent(id)}`
  return [
    h('h3', {}, t('Permissions')),
    allowed.length === 0 ? h('p', { class: 'dim' }, t('No client may talk to it.')) : h('ul', { class: 'plain' }, allowed.map(client => h('li', {}, h('code', {}, client),
      h('button', { class: 'quiet', type: 'button', disabled: !key(), 'aria-label': `${t('Revoke')} ${client}`, onclick: () => act('DELETE', query(client), null, 'revoked') }, t('Revoke'))))),
    others.length > 0 ? add : null
  ]
}

// The form keeps what was typed while the rest is drawn anew.
function player (id) {
  const channel = h('input', { value: 'status', required: true })
  const payload = h('textarea', { value: '{"power":"on"}', spellcheck: 'false' })
  const qos = select([['0', '0'], ['1', '1'], ['2', '2']], '1', {})
  const retain = h('input', { type: 'checkbox' })
  const toggle = h('button', { type: 'button', class: 'main', onclick: () => act('POST', 'play', { device: id, on: !isPlayed(id) }) })
  const auto = h('input', { type: 'checkbox', checked: answering.has(id), onchange: () => auto.checked ? answering.add(id) : answering.delete(id) })
  const submit = h('button', {}, t('Report'))
  const form = h('form', { onsubmit: event => {
    event.preventDefault()
    report(id, channel.value, payload.value, Number(qos.value), retain.checked)
  } }, h('div', { class: 'fields' }, field(t('Channel'), channel), field('QoS', qos), h('label', { class: 'check' }, retain, t('retained'))),
  field(t('Payload'), payload), h('div', {}, submit))
  const commands = h('div', {})
  let drawn = ''

  function command (entry) {
    const again = () => report(id, 'status', payloadOf(entry), 1, false)
    return h('li', {}, h('span', { class: 'mono' }, `${clockTime(entry.time).slice(0, 8)} ${entry.topic.split('/').slice(2).join('/')} ${payloadOf(entry).slice(0, 200)}`),
      h('button', { class: 'quiet', type: 'button', disabled: !key() || !isPlayed(id), onclick: again }, t('Answer')))
  }

  return {
    elements: [h('h3', {}, t('Play it')), h('div', { class: 'tools' }, toggle, h('label', { class: 'check' }, auto, t('Answer each command with its own payload'))),
      h('h3', {}, t('Report a status')), form, h('h3', {}, t('Commands that came')), commands],
    draw () {
      const on = isPlayed(id)
      toggle.textContent = t(on ? 'Take offline' : 'Bring online')
      toggle.disabled = !key()
      submit.disabled = !key() || !on
      const list = state.entries.filter(entry => entry.kind === 'message' && entry.topic.startsWith(`c2d/${id}/`)).slice(-COMMANDS).reverse()
      const now = on + list.map(entry => entry.id).join()
      if (now === drawn) return
      drawn = now
      commands.replaceChildren(list.length === 0 ? h('p', { class: 'dim' }, t('None yet.')) : h('ul', { class: 'plain' }, list.map(command)))
    }
  }
}

export default function devices () {
  const search = h('input', { class: 'search', type: 'search', placeholder: t('Find a device'), 'aria-label': t('Find a device'), oninput: () => draw() })
  const detail = h('section', { class: 'card detail', hidden: true, 'aria-label': t('Details') })
  const split = h('div', { class: 'split' })
  const facts = h('div', {})
  const rights = h('div', {})
  let play = null
  let drawn = ''
  const list = new List({
    label: t('Devices'),
    columns: 'cols-devices',
    key: device => device.id,
    open: device => show(device.id),
    empty: () => h('b', {}, t('No device is called so')),
    row: device => [
      h('span', { class: 'lamp' + (isOnline(device.id) ? ' good' : ''), title: t(isOnline(device.id) ? 'online' : 'offline') }), h('span', {}, device.id),
      h('span', { class: 'dim wide' }, device.productid || ''), h('span', { class: 'dim' }, isPlayed(device.id) ? t('played') : lastOf(device.id)),
      h('span', { class: 'num wide' }, t('{0} clients', clientsOf(device.id).length))
    ]
  })
  split.append(list.element, detail)

  function show (id) {
    chosen = id
    play = null
    drawn = ''
    detail.hidden = id === null
    split.classList.toggle('open', id !== null)
    if (id !== null) {
      play = player(id)
      detail.replaceChildren(h('h2', {}, h('span', {}, id), h('button', { class: 'quiet', type: 'button', onclick: () => show(null) }, t('Close'))), facts, rights, ...play.elements)
    }
    draw()
  }

  function drawDetail () {
    const device = state.info?.devices.find(each => each.id === chosen)
    if (!device) return
    const row = state.tables?.devices.find(each => each.id === chosen)
    const clients = state.tables?.clients.map(client => client.clientid) || []
    const now = [chosen, isOnline(chosen), isPlayed(chosen), lastOf(chosen), clientsOf(chosen), clients].join('|')
    if (now !== drawn) {
      drawn = now
      const state = isPlayed(chosen) ? t('played') : t(isOnline(chosen) ? 'online' : 'offline')
      facts.replaceChildren(h('p', {}, h('span', { class: 'tag ' + (isOnline(chosen) ? 'good' : '') }, state), ' ', h('span', { class: 'dim' }, t('last message {0}', lastOf(chosen)))),
        h('dl', {}, h('dt', {}, t('Product')), h('dd', {}, device.productid || '–'), h('dt', {}, t('Password')), h('dd', {}, h('code', {}, device.password)),
          h('dt', {}, t('Account')), h('dd', {}, row?.account || '–')))
      rights.replaceChildren(...permissions(chosen).filter(Boolean))
    }
    play?.draw()
  }

  function draw () {
    const wanted = search.value.toLowerCase()
    const all = state.info?.devices || []
    list.show(wanted ? all.filter(device => `${device.id} ${device.productid || ''}`.toLowerCase().includes(wanted)) : all)
    drawDetail()
  }

  if (chosen !== null) {
    list.current = chosen
    show(chosen)
  }
  return {
    elements: [h('div', { class: 'head' }, h('h1', {}, t('Devices')), search, h('p', {}, t('Each device, and who may talk to it. Choose one to play it: report a status, answer commands.'))), split],
    draw
  }
}

