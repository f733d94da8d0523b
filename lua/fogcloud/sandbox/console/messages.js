// SPDX-License-Identifier: MIT
// Messages as they come, and publishing one.
import { bytes, clockTime, field, h, List, select, toast, tree } from './dom.js'
import { t } from './i18n.js'
import { key, send, state } from './store.js'
import { payloadOf, tag } from './words.js'

const KINDS = new Set(['message', 'message_refused', 'withheld', 'skipped'])

let filter = ''

// A filter of MQTT's where it has a wildcard, else any part of the topic.
function matcher (text) {
  if (!text) return () => true
  if (!/[+#]/.test(text)) return topic => topic.includes(text)
  const pattern = text.split('/').map(level => level === '+' ? '[^/]*' : level === '#' ? '.*' : level.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('/')
  const whole = new RegExp('^' + pattern.replace(/\/\.\*$/, '(/.*)?') + '$')
  return topic => whole.test(topic)
}

function body (entry) {
  const payload = payloadOf(entry)
  if (payload === '') return h('p', { class: 'dim' }, t('empty'))
  try {
    const value = JSON.parse(payload)
    if (value !== null && typeof value === 'object') return h('div', { class: 'tree' }, tree(value))
  } catch { /* no JSON */ }
  return h('pre', { tabindex: 0 }, payload)
}

export function messageDetail (entry) {
  const why = { message_refused: t('no permission to publish'), withheld: t('the subscriber has no permission') }[entry.kind]
  return [
    h('dl', {}, h('dt', {}, t('Time')), h('dd', { class: 'mono' }, clockTime(entry.time)),
      h('dt', {}, t(entry.kind === 'withheld' ? 'To' : 'From')), h('dd', {}, entry.client ? `${entry.client} (${entry.login})` : t('nobody: published here')),
      h('dt', {}, 'QoS'), h('dd', {}, `${entry.qos}${entry.retain ? ' · ' + t('retained') : ''}`), h('dt', {}, t('Size')), h('dd', {}, bytes(entry.size))),
    why ? h('p', {}, h('span', { class: 'tag bad' }, why)) : null, h('h3', {}, t('Payload')), body(entry),
    entry.cut ? h('p', { class: 'dim' }, t('only the first 4 KiB are kept')) : null
  ].filter(Boolean)
}

function publisher () {
  const topic = h('input', { value: 'c2d/dev1/commands', required: true })
  const payload = h('textarea', { value: '{"power":"on"}', spellcheck: 'false' })
  const qos = select([['0', '0'], ['1', '1'], ['2', '2']], '1', {})
  const retain = h('input', { type: 'checkbox' })
  return h('form', { onsubmit: async event => {
    event.preventDefault()
    try {
      await send('POST', 'publish', { topic: topic.value, payload: payload.value, qos: Number(qos.value), retain: retain.checked })
      toast(t('published'))
    } catch (error) { toast(error.message) }
  } }, h('div', { class: 'fields' }, field(t('Topic'), topic), field('QoS', qos), h('label', { class: 'check' }, retain, t('retained'))),
  field(t('Payload'), payload), h('div', {}, h('button', { class: 'main', disabled: !key() }, t('Publish'))))
}

export default function messages () {
  const input = h('input', { class: 'search', type: 'search', value: filter, placeholder: t('Filter by topic, d2c/+/status'), 'aria-label': t('Filter by topic, d2c/+/status'), oninput: () => {
    filter = input.value
    draw()
  } })
  let paused = null
  const pause = h('button', { type: 'button', 'aria-pressed': 'false', onclick: () => {
    paused = paused === null ? state.entries : null
    pause.setAttribute('aria-pressed', String(paused !== null))
    pause.textContent = t(paused === null ? 'Pause' : 'Go on')
    draw()
  } }, t('Pause'))
  const detail = h('section', { class: 'card detail', hidden: true, 'aria-label': t('Details') })
  const split = h('div', { class: 'split' })
  const list = new List({
    label: t('Messages'),
    columns: 'cols-messages',
    open: show,
    empty: () => [h('b', {}, t('No message has come')), h('p', {}, t('They stand here as soon as somebody publishes.'))],
    row: entry => entry.kind === 'skipped'
      ? [h('span', { class: 'time' }, clockTime(entry.time)), h('span', { class: 'dim' }, `${entry.count} ${t('messages came too fast to be kept')}`)]
      : [
          h('span', { class: 'time' }, clockTime(entry.time)), h('span', {}, entry.topic), h('span', { class: 'mono dim wide' }, payloadOf(entry).slice(0, 300)),
          h('span', {}, entry.kind === 'message' ? h('span', { class: 'tag' + (entry.retain ? ' warn' : '') }, `QoS ${entry.qos}`) : tag(entry)), h('span', { class: 'num wide' }, bytes(entry.size))
        ]
  })
  split.append(list.element, detail)

  function show (entry) {
    if (entry.kind === 'skipped') return
    detail.hidden = false
    split.classList.add('open')
    detail.replaceChildren(h('h2', {}, h('span', { class: 'mono' }, entry.topic), h('button', { class: 'quiet', type: 'button', onclick: () => {
      detail.hidden = true
      split.classList.remove('open')
    } }, t('Close'))), ...messageDetail(entry))
  }

  function draw () {
    const matches = matcher(filter)
    list.show((paused || state.entries).filter(entry => KINDS.has(entry.kind) && (entry.kind === 'skipped' ? !filter : matches(entry.topic))), true)
  }

  return {
    elements: [
      h('div', { class: 'head' }, h('h1', {}, t('Messages')), h('div', { class: 'tools' }, input, pause), h('p', {}, t('What devices and programs say, as it comes'))), split,
      h('details', { class: 'card' }, h('summary', {}, t('Publish')), publisher())
    ],
    draw
  }
}
