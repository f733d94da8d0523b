// SPDX-License-Identifier: MIT
import { copy, h, svg, toast } from './dom.js'
import { span, t } from './i18n.js'
import { key, send, state } from './store.js'
import { line } from './words.js'

const WIDTH = 600
const HEIGHT = 150
const SECONDS = 120

function tile (kind, title, text) {
  return h('div', { class: 'card tile' }, h('span', { class: 'lamp ' + kind }), h('div', {}, h('b', {}, title), h('span', { class: 'dim' }, text)))
}

function clockText (pulse) {
  const moved = pulse.now - pulse.time
  if (pulse.frozen) return t('frozen')
  return Math.abs(moved) > 1 ? t('runs, moved by {0}', (moved < 0 ? '−' : '+') + span(moved)) : t('runs with real time')
}

function tiles () {
  const pulse = state.pulse
  if (!pulse) return [tile(state.loading ? '' : 'bad', t('API'), t(state.loading ? 'connecting…' : 'cannot be reached'))]
  const plain = !pulse.frozen && Math.abs(pulse.now - pulse.time) < 1
  const api = !state.online ? ['bad', t('cannot be reached')] : pulse.always_200 ? ['warn', t('every reply is HTTP 200')] : ['good', t('answers requests')]
  return [
    tile(api[0], t('API'), api[1]),
    tile(pulse.broker ? 'good' : 'bad', t('Broker'), t(pulse.broker ? 'takes connections' : 'is stopped')),
    tile(plain ? 'good' : 'warn', t('Clock'), clockText(pulse))
  ]
}

function figure (title, value) {
  return h('div', { class: 'card' }, h('div', { class: 'dim' }, title), h('div', { class: 'figure' }, String(value)))
}

function figures () {
  const armed = state.faults ? state.faults.faults.filter(fault => fault.left !== 0).length : 0
  return [
    figure(t('Devices'), state.tables?.devices.length ?? '–'), figure(t('Connections'), state.pulse?.connected ?? '–'),
    figure(t('Calls of the API'), state.pulse?.calls ?? '–'), figure(t('Faults armed'), armed)
  ]
}

function chart () {
  const rates = state.rates
  const peak = Math.max(1, ...rates)
  const x = i => WIDTH - (rates.length - 1 - i) * WIDTH / (SECONDS - 1)
  const y = rate => HEIGHT - 6 - rate / peak * (HEIGHT - 18)
  const points = rates.map((rate, i) => `${x(i).toFixed(1)},${y(rate).toFixed(1)}`)
  const picture = svg('svg', { class: 'chart', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': chartText() },
    svg('line', { class: 'base', x1: 0, x2: WIDTH, y1: HEIGHT - 5, y2: HEIGHT - 5 }))
  if (points.length > 1) {
    picture.append(svg('polygon', { class: 'area', points: `${x(0)},${HEIGHT - 5} ${points.join(' ')} ${WIDTH},${HEIGHT - 5}` }),
      svg('polyline', { class: 'stroke', points: points.join(' ') }))
  }
  return picture
}

const rounded = rate => rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate)

function chartText () {
  const now = state.rates.length > 0 ? state.rates[state.rates.length - 1] : 0
  return `${t('Messages per second')}: ${rounded(now)}`
}

function variables () {
  const info = state.info
  return [
    ['FOGCLOUD_BASE_URL', info.url], ['FOGCLOUD_CLIENT_ID', info.client_id], ['FOGCLOUD_CLIENT_SECRET', info.client_secret],
    ['FOGCLOUD_CA_FILE', info.ca_file], ['FOGCLOUD_APP_ID', info.app_id || ''], ['FOGCLOUD_MQTT_HOST', info.mqtt_host],
    ['FOGCLOUD_MQTT_PORT', info.mqtt_port], ['FOGCLOUD_MQTT_TLS_PORT', info.tls_port]
  ].map(([name, value]) => `export ${name}='${value}'`).join('\n')
}

async function reset () {
  if (!confirm(t('Back to the seed: everything else is forgotten. Go on?'))) return
  try {
    await send('POST', 'reset')
    toast(t('is back to the seed'))
  } catch (error) { toast(error.message) }
}

export default function overview () {
  const places = { tiles: h('div', { class: 'grid tiles' }), figures: h('div', { class: 'grid tiles' }), chart: h('div', { class: 'card' }), last: h('div', { class: 'card' }), where: h('div', { class: 'card' }) }
  const heading = h('h2', {}, t('Messages per second'))
  const shown = h('div', { class: 'figure' }, '0')
  const picture = h('div', {})
  const axis = h('div', { class: 'axis' }, h('span', {}, t('{0} s ago', SECONDS)), h('span', {}), h('span', {}, t('now')))
  places.chart.append(heading, shown, picture, axis)
  let whole = ''
  const memo = {}
  const put = (name, make) => {
    const fresh = make()
    const text = fresh.map(each => each.outerHTML).join()
    if (memo[name] !== text) places[name].replaceChildren(...fresh)
    memo[name] = text
  }

  function drawWhere () {
    if (!state.info || whole === state.info.url + state.info.mqtt_port) return
    whole = state.info.url + state.info.mqtt_port
    const pre = h('pre', { tabindex: 0, role: 'region', 'aria-label': t('Where it is') }, variables())
    places.where.replaceChildren(h('h2', {}, t('Where it is')), pre,
      h('div', { class: 'tools' }, h('button', { type: 'button', onclick: () => copy(variables(), t('copied')) }, t('Copy variables'))))
  }

  function lastLines () {
    const lines = state.entries.slice(-9).reverse()
    if (lines.length === 0) {
      return [h('h2', {}, t('What happened last')), h('div', { class: 'empty' }, h('b', {}, t('Nothing has happened yet')),
        h('p', {}, t('Start your program with these variables:')), h('pre', {}, 'fogcloud sandbox exec -- …'))]
    }
    return [h('h2', {}, t('What happened last')), h('ul', { class: 'plain' }, lines.map(entry => h('li', {}, line(entry))))]
  }

  return {
    elements: [
      h('div', { class: 'head' }, h('h1', {}, t('Overview')), h('button', { type: 'button', class: 'danger', disabled: !key(), onclick: reset }, t('Reset sandbox')),
        h('p', {}, t('Is everything well, and what is going on'))),
      places.tiles, places.figures, h('div', { class: 'grid two' }, h('div', { class: 'grid' }, places.chart, places.where), places.last)
    ],
    draw () {
      put('tiles', tiles)
      put('figures', figures)
      put('last', lastLines)
      drawWhere()
      const pulse = state.pulse
      shown.textContent = String(rounded(state.rates.length > 0 ? state.rates[state.rates.length - 1] : 0))
      picture.replaceChildren(chart())
      const middle = pulse ? t('{0} in all', pulse.messages) + (pulse.dropped > 0 ? ` · ${t('{0} not kept', pulse.dropped)}` : '') : ''
      axis.children[1].textContent = `${t('peak {0}', rounded(Math.max(0, ...state.rates)))} · ${middle}`
    }
  }
}
