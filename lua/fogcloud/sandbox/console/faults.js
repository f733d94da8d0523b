// SPDX-License-Identifier: MIT
// Faults: arming one, what is armed, how often it struck.
import { field, h, select, toast } from './dom.js'
import { t } from './i18n.js'
import { key, send, state } from './store.js'

const CODES = [['10050', '10050'], ['10000', '10000'], ['10100', '10100'], ['10101', '10101']]
const CUTS = [['before', t('before')], ['during', t('during')], ['after', t('after')]]
const BOOLEAN = [['', '–'], ['true', 'true']]

// By kind: what it is called, and its fields: name, type (or choices), value that it begins with.
const KINDS = {
  code: ['answers a code', [['code', CODES, '10050'], ['status', 'number', '']]],
  status: ['answers an HTTP status', [['status', 'number', '503'], ['body', 'text', ''], ['content_type', 'text', '']]],
  delay: ['comes late', [['delay', 'number', '2'], ['delay_max', 'number', '']]],
  cut: ['is cut', [['cut', CUTS, 'before']]],
  lost: ['is done, and no reply comes', []],
  retry: ['asks to wait', [['code', CODES, '10050'], ['retry_after', 'text', '2'], ['status', 'number', '']]],
  body: ['has another body', [['body', 'text', '<html>busy</html>'], ['content_type', 'text', 'text/html']]],
  truncate: ['is cut short', [['truncate', 'number', '10']]],
  size: ['is filled up', [['size', 'number', '100000']]],
  trickle: ['trickles', [['trickle_ms', 'number', '50']]]
}
const RULES = [
  ['refuse', BOOLEAN, ''], ['half_open', BOOLEAN, ''], ['connack', 'number', ''], ['cut_after', 'number', ''], ['mid_packet', BOOLEAN, ''], ['cut_bytes', 'number', ''],
  ['delay_ms', 'number', ''], ['rate', 'number', ''], ['puback', [['', '–'], ['swallow', 'swallow'], ['duplicate', 'duplicate']], ''], ['puback_delay_ms', 'number', ''],
  ['count', 'number', ''], ['probability', 'number', '']
]
const ENDPOINTS = ['token', 'create_client', 'grant', 'revoke', 'products']
const OWN = new Set(['id', 'struck', 'left', 'count', 'endpoint'])

function input ([name, type, value]) {
  const control = Array.isArray(type) ? select(type, value, { name }) : h('input', { name, type: type === 'number' ? 'number' : 'text', step: 'any', value })
  return field(name, control)
}

// What a form says, without what was left empty.
function read (form, numbers) {
  const said = {}
  for (const [name, value] of new FormData(form)) {
    if (value === '') continue
    said[name] = value === 'true' ? true : numbers.has(name) ? Number(value) : value
  }
  return said
}

const NUMBERS = new Set(['code', 'status', 'delay', 'delay_max', 'truncate', 'size', 'trickle_ms', 'count', 'probability', 'connack', 'cut_after', 'cut_bytes', 'delay_ms', 'rate', 'puback_delay_ms'])

async function act (method, path, body, said) {
  try {
    await send(method, path, body)
    toast(t(said))
  } catch (error) { toast(error.message) }
}

function armer () {
  const fields = h('div', { class: 'fields' })
  const kind = select(Object.entries(KINDS).map(([name, [text]]) => [name, t(text)]), 'code', { onchange: () => fields.replaceChildren(...KINDS[kind.value][1].map(input)) })
  fields.append(...KINDS.code[1].map(input))
  const endpoint = select([['*', t('all calls')], ...ENDPOINTS.map(name => [name, name])], '*', { name: 'endpoint' })
  const form = h('form', { onsubmit: event => {
    event.preventDefault()
    const fault = read(form, NUMBERS)
    if (kind.value === 'lost') fault.lost = true
    act('POST', 'faults', fault, 'armed')
  } }, h('div', { class: 'fields' }, field(t('Which call'), endpoint), field(t('Kind'), kind)), fields,
  h('div', { class: 'fields' }, field(t('How many (0: without end)'), h('input', { name: 'count', type: 'number', min: 0, value: '1' })),
    field(t('Probability'), h('input', { name: 'probability', type: 'number', min: 0, max: 1, step: 'any', value: '' }))),
  h('div', {}, h('button', { class: 'main', disabled: !key() }, t('Arm'))))
  return form
}

function rules () {
  const form = h('form', { onsubmit: event => {
    event.preventDefault()
    act('POST', 'mqtt', read(form, NUMBERS), 'rules are set')
  } }, h('div', { class: 'fields' }, RULES.map(input)), h('div', { class: 'tools' }, h('button', { class: 'main', disabled: !key() }, t('Set rules')),
    h('button', { type: 'button', disabled: !key(), onclick: () => act('DELETE', 'mqtt', null, 'cleared') }, t('Clear'))))
  return form
}

const words = fault => Object.entries(fault).filter(([name]) => !OWN.has(name)).map(([name, value]) => `${name}=${value}`).join(' ')

function armedLine (fault) {
  const left = fault.left === undefined ? t('without end') : fault.left === 0 ? t('used up') : t('{0} left', fault.left)
  return h('li', {}, h('span', {}, h('b', {}, fault.endpoint === '*' ? t('all calls') : fault.endpoint), ' ', h('code', {}, words(fault))),
    h('span', { class: 'tools' }, h('span', { class: 'tag ' + (fault.struck > 0 ? 'bad' : '') }, t('struck {0} times', fault.struck)), h('span', { class: 'tag' + (fault.left === 0 ? '' : ' warn') }, left),
      h('button', { class: 'quiet', type: 'button', disabled: !key(), 'aria-label': `${t('Clear')} ${fault.id}`, onclick: () => act('DELETE', `faults?id=${fault.id}`, null, 'cleared') }, t('Clear'))))
}

export default function faults () {
  const armed = h('div', {})
  const mqtt = h('div', { class: 'card' }, h('h2', {}, t('Make MQTT fail')))
  let drawn = ''
  let relay = null
  return {
    elements: [
      h('div', { class: 'head' }, h('h1', {}, t('Faults')), h('button', { type: 'button', disabled: !key(), onclick: () => act('DELETE', 'faults', null, 'cleared') }, t('Clear all')),
        h('p', {}, t('Make calls and connections fail, as clouds do'))),
      h('div', { class: 'grid two' }, h('div', { class: 'grid' }, h('div', { class: 'card' }, h('h2', {}, t('Make calls fail')), armer()), h('div', { class: 'card' }, h('h2', {}, t('Faults armed')), armed)), mqtt)
    ],
    draw () {
      const said = state.faults
      if (!said) return
      if (relay !== Boolean(said.mqtt)) {
        relay = Boolean(said.mqtt)
        mqtt.replaceChildren(h('h2', {}, t('Make MQTT fail')), relay ? rules() : h('p', { class: 'dim' }, t('Start the sandbox with --mqtt-faults to make MQTT fail.')), h('p', { class: 'dim' }))
      }
      if (relay) mqtt.lastChild.textContent = `${words(said.mqtt)} ${t('met by {0} connections', state.pulse?.struck ?? said.mqtt_struck)}`
      const now = JSON.stringify(said.faults)
      if (now === drawn) return
      drawn = now
      armed.replaceChildren(said.faults.length === 0 ? h('div', { class: 'empty' }, h('b', {}, t('Nothing is armed'))) : h('ul', { class: 'plain' }, said.faults.map(armedLine)))
    }
  }
}
