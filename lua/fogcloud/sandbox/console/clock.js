// SPDX-License-Identifier: MIT
// The sandbox's time, and the tokens that live by it.
import { field, h, List, toast } from './dom.js'
import { span, t } from './i18n.js'
import { key, sandboxNow, send, state } from './store.js'

const STEPS = [[60, 'minute'], [3600, 'hour'], [86400, 'day'], [604800, 'week']]

async function act (body, path = 'clock') {
  try {
    await send('POST', path, body)
    if (path === 'tokens') toast(t('tokens are forgotten'))
  } catch (error) { toast(error.message) }
}

export default function clock () {
  const figure = h('div', { class: 'figure' })
  const about = h('p', { class: 'dim' })
  const freeze = h('button', { type: 'button', class: 'main', disabled: !key(), onclick: () => act({ freeze: !state.pulse?.frozen }) })
  const back = h('button', { type: 'button', disabled: !key(), onclick: () => act({ freeze: false, advance: state.pulse ? state.pulse.time - state.pulse.now : 0 }) }, t('Back to real time'))
  const seconds = h('input', { type: 'number', step: 'any', value: '5', required: true })
  const steps = STEPS.map(([size, name]) => h('button', { type: 'button', disabled: !key(), onclick: () => act({ advance: size }) }, `+1 ${t(name)}`))
  const form = h('form', { class: 'fields', onsubmit: event => {
    event.preventDefault()
    act({ advance: Number(seconds.value) })
  } }, field(t('Advance by seconds'), seconds), h('button', { disabled: !key() }, t('Advance')))
  const list = new List({
    label: t('Tokens'),
    columns: 'cols-tokens',
    key: token => token.token,
    open: () => {},
    empty: () => h('b', {}, t('No token has been issued')),
    row: token => {
      const left = token.expires - sandboxNow()
      return [h('span', { class: 'mono' }, token.token.slice(0, 12) + '…'), h('span', { class: 'dim' }, token.account),
        h('span', { class: 'tag ' + (left > 0 ? left < 60 ? 'warn' : 'good' : 'bad') }, left > 0 ? t('{0} left to live', span(left)) : t('expired'))]
    }
  })
  return {
    elements: [
      h('div', { class: 'head' }, h('h1', {}, t('Clock')), h('p', {}, t('The time that tokens live by'))),
      h('div', { class: 'grid two' }, h('div', { class: 'card' }, figure, about, h('div', { class: 'tools' }, freeze, back), h('h2', { class: 'apart' }, t('Advance')), h('div', { class: 'tools' }, steps), form),
        h('div', {}, h('div', { class: 'head' }, h('h2', {}, t('Tokens')), h('button', { type: 'button', class: 'danger', disabled: !key(), onclick: () => act({ revoke: '*' }, 'tokens') }, t('Forget all tokens'))), list.element))
    ],
    draw () {
      if (!state.pulse) return
      const now = new Date(sandboxNow() * 1000)
      figure.textContent = now.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
      const moved = state.pulse.now - state.pulse.time
      const words = state.pulse.frozen ? t('frozen') : Math.abs(moved) > 1 ? t('runs, moved by {0}', (moved < 0 ? '−' : '+') + span(moved)) : t('runs with real time')
      about.textContent = `${words} · ${t('New tokens live {0}', span(state.pulse.life))}`
      freeze.textContent = t(state.pulse.frozen ? 'Let it run' : 'Freeze')
      list.show([...(state.tables?.tokens || [])].sort((a, b) => b.expires - a.expires))
    }
  }
}
