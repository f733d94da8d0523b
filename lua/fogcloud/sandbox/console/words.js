// SPDX-License-Identifier: MIT
// An entry of the timeline in words.
import { clockTime, h } from './dom.js'
import { t } from './i18n.js'

const KINDS = {
  call: ['info', 'API'], control: ['warn', 'sandbox'], login: ['good', 'login'], login_refused: ['bad', 'login'], bye: ['', 'bye'], message: ['info', 'MQTT'],
  message_refused: ['bad', 'MQTT'], subscribe: ['', 'subscribe'], subscribe_refused: ['bad', 'subscribe'], withheld: ['warn', 'withheld'], skipped: ['warn', '…']
}

// Which of the timeline's switches an entry belongs to.
export function group (entry) {
  if (entry.kind === 'call') return 'Calls'
  if (entry.kind === 'control') return 'Changes'
  return /^(message|withheld|skipped)/.test(entry.kind) ? 'Messages' : 'Connections'
}

export function isRefused (entry) {
  return entry.kind.endsWith('refused') || (entry.kind === 'call' && (entry.status >= 400 || (entry.code !== undefined && entry.code !== 0)))
}

export function tag (entry) {
  const [kind, text] = KINDS[entry.kind] || ['', entry.kind]
  return h('span', { class: 'tag ' + (isRefused(entry) ? 'bad' : kind) }, entry.kind === 'message_refused' ? t('refused') : entry.kind === 'withheld' ? t('withheld') : text)
}

export function payloadOf (entry) {
  if (entry.payload_hex !== undefined) return '0x' + entry.payload_hex
  return entry.payload ?? ''
}

function params (value) {
  return Object.entries(value || {}).map(([name, each]) => `${name}=${typeof each === 'object' ? JSON.stringify(each) : each}`).join(' ')
}

export function codeOf (entry) {
  return entry.wire ? entry.wire : entry.code === undefined ? String(entry.status) : `${entry.status} · ${entry.code}`
}

export function text (entry) {
  switch (entry.kind) {
    case 'call': return `${entry.endpoint || entry.method + ' ' + entry.path} → ${codeOf(entry)}${entry.code ? ' ' + (entry.message || '') : ''}`
    case 'control': return `${entry.call} ${params(entry.params)} ${entry.why || ''}`
    case 'skipped': return `${entry.count} ${t('messages came too fast to be kept')}`
    case 'login': case 'login_refused': case 'bye': return `${entry.client || ''} (${entry.login || ''})`
    case 'subscribe': case 'subscribe_refused': return `${entry.client} ${entry.topic}`
    default: return `${entry.topic} ${payloadOf(entry)}`
  }
}

export function line (entry) {
  return h('span', {}, h('span', { class: 'time mono dim' }, clockTime(entry.time).slice(0, 8), ' '), tag(entry), ' ', text(entry).slice(0, 160))
}
