// SPDX-License-Identifier: MIT
// MQTT clients, their permissions, and throwing one out.
import { clockTime, field, h, List, toast } from './dom.js'
import { t } from './i18n.js'
import { key, send, state } from './store.js'

const OFFERED = 500

let chosen = null

async function act (method, path, body, said) {
  try {
    await send(method, path, body)
    toast(t(said))
  } catch (error) { toast(error.message) }
}

const devicesOf = id => (state.tables?.grants || []).filter(grant => grant.clientid === id).map(grant => grant.device_id)
const linkOf = id => state.links?.connected.find(link => link.client === id)

function permissions (id) {
  const allowed = devicesOf(id)
  const query = device => `grants?client_id=${encodeURIComponent(id)}&device_id=${encodeURIComponent(device)}`
  return allowed.length === 0
    ? h('p', { class: 'dim' }, t('It may talk to no device.'))
    : h('ul', { class: 'plain' }, allowed.slice(0, OFFERED).map(device => h('li', {}, h('span', {}, device),
      h('button', { class: 'quiet', type: 'button', disabled: !key(), 'aria-label': `${t('Revoke')} ${device}`, onclick: () => act('DELETE', query(device), null, 'revoked') }, t('Revoke')))))
}

function granting (id) {
  const input = h('input', { list: 'devices', required: true, autocomplete: 'off' })
  const known = h('datalist', { id: 'devices' }, (state.tables?.devices || []).slice(0, OFFERED).map(device => h('option', { value: device.id })))
  return h('form', { class: 'fields', onsubmit: event => {
    event.preventDefault()
    act('POST', 'grants', { client_id: id, device_id: input.value }, 'granted')
    input.value = ''
  } }, field(t('Device'), input), known, h('button', { disabled: !key() }, t('Grant')))
}

export default function clients () {
  const search = h('input', { class: 'search', type: 'search', placeholder: t('Find a client'), 'aria-label': t('Find a client'), oninput: () => draw() })
  const detail = h('section', { class: 'card detail', hidden: true, 'aria-label': t('Details') })
  const split = h('div', { class: 'split' })
  const facts = h('div', {})
  const rights = h('div', {})
  let drawn = ''
  const list = new List({
    label: t('Clients'),
    columns: 'cols-clients',
    key: client => client.clientid,
    open: client => show(client.clientid),
    empty: () => [h('b', {}, t('No client has been made')), h('p', {}, t('A program makes one by the call create_client.'))],
    row: client => [
      h('span', { class: 'lamp' + (linkOf(client.clientid) ? ' good' : ''), title: t(linkOf(client.clientid) ? 'online' : 'offline') }),
      h('span', { class: 'mono' }, client.clientid), h('span', { class: 'dim wide' }, client.app_id),
      h('span', { class: 'dim wide' }, devicesOf(client.clientid).slice(0, 20).join(', ') || t('no permission'))
    ]
  })
  split.append(list.element, detail)

  function show (id) {
    chosen = id
    drawn = ''
    detail.hidden = id === null
    split.classList.toggle('open', id !== null)
    if (id !== null) {
      detail.replaceChildren(h('h2', {}, h('span', { class: 'mono' }, id), h('button', { class: 'quiet', type: 'button', onclick: () => show(null) }, t('Close'))),
        facts, h('h3', {}, t('Permissions')), rights, granting(id))
    }
    draw()
  }

  function drawDetail () {
    const client = state.tables?.clients.find(each => each.clientid === chosen)
    if (!client) return
    const link = linkOf(chosen)
    const now = [chosen, link?.since, devicesOf(chosen)].join('|')
    if (now === drawn) return
    drawn = now
    facts.replaceChildren(h('dl', {}, h('dt', {}, t('Login')), h('dd', {}, h('code', {}, client.loginname)), h('dt', {}, t('App')), h('dd', {}, client.app_id),
      h('dt', {}, t('Account')), h('dd', {}, client.account), h('dt', {}, t('Connected since')), h('dd', {}, link ? clockTime(link.since).slice(0, 8) : '–')),
    h('p', {}, h('button', { type: 'button', class: 'danger', disabled: !key() || !link, onclick: () => act('POST', 'mqtt', { kick: chosen }, 'thrown out') }, t('Disconnect'))))
    rights.replaceChildren(permissions(chosen))
  }

  function draw () {
    const wanted = search.value.toLowerCase()
    const all = state.tables?.clients || []
    list.show(wanted ? all.filter(client => Object.values(client).join(' ').toLowerCase().includes(wanted)) : all)
    drawDetail()
  }

  if (chosen !== null) {
    list.current = chosen
    show(chosen)
  }
  return {
    elements: [h('div', { class: 'head' }, h('h1', {}, t('Clients')), search, h('p', {}, t('MQTT clients that programs made, and which devices they may talk to'))), split],
    draw
  }
}
