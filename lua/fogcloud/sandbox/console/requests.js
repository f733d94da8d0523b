// SPDX-License-Identifier: MIT
// The calls of the API as they come.
import { clockTime, copy, h, List } from './dom.js'
import { t } from './i18n.js'
import { state } from './store.js'
import { codeOf, isRefused } from './words.js'

const quote = text => `'${String(text).replace(/'/g, "'\\''")}'`

// Secrets are not here: variables of the shell stand in their place.
const VARIABLES = { client_secret: '$FOGCLOUD_CLIENT_SECRET', access_token: '$TOKEN', password: '$PASSWORD' }

export function curl (entry) {
  const parts = ['curl']
  if (entry.method !== 'GET') parts.push('-X', entry.method)
  if (entry.endpoint !== 'token') parts.push('-H', '"Authorization: Bearer $TOKEN"')
  if (entry.content_type && !entry.content_type.includes('urlencoded')) {
    parts.push('-H', quote('Content-Type: ' + entry.content_type), '-d', quote(JSON.stringify(entry.params)))
  } else {
    for (const [name, value] of Object.entries(entry.params || {})) {
      parts.push('--data-urlencode', value === '[redacted]' ? `"${name}=${VARIABLES[name] || '…'}"` : quote(`${name}=${value}`))
    }
  }
  parts.push(`"$FOGCLOUD_BASE_URL"${quote(entry.path)}`)
  return parts.join(' ')
}

// What would have been taken in its place, where the answer says enough to know it.
export function near (entry) {
  if (!isRefused(entry)) return null
  const said = entry.message || ''
  if (entry.fault) return `# ${t('Fault')} ${entry.fault}`
  const account = state.info?.client_id
  if (entry.code === 10101 || entry.code === 10100) return '-H "Authorization: Bearer $TOKEN"   # POST /v3/open_api/token/'
  const missing = said.match(/^parameter (\w+) is required/)
  if (missing) return `${missing[1]}=…`
  if (/^grant_type/.test(said)) return 'grant_type=client_credentials'
  if (/client_secret is wrong/.test(said)) return `client_id=${account} client_secret=$FOGCLOUD_CLIENT_SECRET`
  if (/app_id is unknown/.test(said)) return `app_id=${(state.tables?.apps || []).map(app => app.app_id).join(' | ')}`
  if (/device_id is unknown/.test(said)) return `device_id=${(state.tables?.devices || []).slice(0, 6).map(device => device.id).join(' | ')}`
  if (/client_id is unknown/.test(said)) return `client_id=${(state.tables?.clients || []).slice(-4).map(client => client.clientid).join(' | ') || '…   # POST /v3/open_api/mqtt/client/'}`
  if (entry.status === 404) return entry.path.endsWith('/') ? null : `${entry.method} ${entry.path}/`
  return null
}

export function callDetail (entry) {
  const hint = near(entry)
  const rows = [
    [t('Call'), `${entry.method} ${entry.path}`], [t('Time'), clockTime(entry.time)], [t('Status'), entry.wire || entry.status], [t('Code'), entry.code], [t('Message'), entry.message],
    [t('Took'), entry.ms !== undefined ? `${entry.ms.toFixed(2)} ms` : null], ['Token', entry.token ? '#' + entry.token : entry.reply?.token ? '→ #' + entry.reply.token : null],
    ['X-Request-Id', entry.request_id], ['Content-Type', entry.content_type], [t('Fault'), entry.fault ? '#' + entry.fault : null], [t('Client'), entry.reply?.client]
  ].filter(([, value]) => value !== undefined && value !== null)
  return [
    h('dl', {}, rows.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, String(value))])),
    hint ? [h('h3', {}, t('Near call that is taken')), h('pre', { tabindex: 0 }, hint)] : [],
    h('h3', {}, t('Parameters')), h('pre', { tabindex: 0 }, JSON.stringify(entry.params, null, 2)),
    h('div', { class: 'tools' }, h('button', { type: 'button', onclick: () => copy(curl(entry), t('copied')) }, t('Copy as curl')))
  ].flat()
}

let filter = ''

export default function requests () {
  const input = h('input', { class: 'search', type: 'search', value: filter, placeholder: t('Find a call'), 'aria-label': t('Find a call'), oninput: () => {
    filter = input.value
    draw()
  } })
  const detail = h('section', { class: 'card detail', hidden: true, 'aria-label': t('Details') })
  const split = h('div', { class: 'split' })
  const list = new List({
    label: t('Requests'),
    columns: 'cols-requests',
    open: show,
    empty: () => [h('b', {}, t('No call has come')), h('pre', {}, 'curl "$FOGCLOUD_BASE_URL"/v3/open_api/token/ -d grant_type=client_credentials …')],
    row: entry => [
      h('span', { class: 'time' }, clockTime(entry.time)), h('span', { class: 'mono dim wide' }, entry.method), h('span', {}, entry.endpoint || entry.path),
      h('span', {}, h('span', { class: 'tag ' + (isRefused(entry) || entry.wire ? 'bad' : 'good') }, codeOf(entry))), h('span', { class: 'dim wide' }, entry.fault ? `⚡ ${entry.fault}` : ''),
      h('span', { class: 'num wide' }, entry.ms !== undefined ? `${entry.ms.toFixed(1)} ms` : '')
    ]
  })
  split.append(list.element, detail)

  function show (entry) {
    detail.hidden = false
    split.classList.add('open')
    detail.replaceChildren(h('h2', {}, h('span', {}, entry.endpoint || entry.path), h('button', { class: 'quiet', type: 'button', onclick: () => {
      detail.hidden = true
      split.classList.remove('open')
    } }, t('Close'))), ...callDetail(entry))
  }

  function draw () {
    const wanted = filter.toLowerCase()
    list.show(state.entries.filter(entry => entry.kind === 'call' &&
      (!wanted || `${entry.endpoint} ${entry.method} ${entry.path} ${entry.status} ${entry.code} ${entry.message} ${entry.request_id}`.toLowerCase().includes(wanted))), true)
  }

  return {
    elements: [h('div', { class: 'head' }, h('h1', {}, t('Requests')), input, h('p', {}, t('Every call of the API: what was asked, and what was answered'))), split],
    draw
  }
}
