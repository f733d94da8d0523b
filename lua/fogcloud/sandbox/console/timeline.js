// SPDX-License-Identifier: MIT
// Everything in its order, and a test made from a part of it.
import { clockTime, copy, h, List, select, toast } from './dom.js'
import { t } from './i18n.js'
import { get, state } from './store.js'
import { group, tag, text } from './words.js'
import { callDetail } from './requests.js'
import { messageDetail } from './messages.js'

const GROUPS = ['Calls', 'Messages', 'Connections', 'Changes']
const hidden = new Set()

export default function timeline () {
  let first = null
  let last = null
  let open = null
  const detail = h('section', { class: 'card detail', hidden: true, 'aria-label': t('Details') })
  const split = h('div', { class: 'split' })
  const chosenText = h('span', { class: 'dim' })
  const format = select([['busted', 'busted'], ['pytest', 'pytest']], 'busted', { 'aria-label': t('Test as') })
  const make = h('button', { type: 'button', class: 'main', onclick: spec }, t('Copy as spec'))
  const clear = h('button', { type: 'button', onclick: () => pick(null, null) }, t('Clear selection'))
  const switches = GROUPS.map(name => h('button', { type: 'button', 'aria-pressed': String(!hidden.has(name)), onclick: event => {
    if (hidden.has(name)) hidden.delete(name)
    else hidden.add(name)
    event.currentTarget.setAttribute('aria-pressed', String(!hidden.has(name)))
    draw()
  } }, t(name)))
  const list = new List({
    label: t('Timeline'),
    columns: 'cols-timeline',
    open: choose,
    chosen: entry => first !== null && entry.id >= first && entry.id <= last,
    empty: () => h('b', {}, t('Nothing has happened yet')),
    row: entry => [h('span', { class: 'time' }, clockTime(entry.time)), h('span', {}, tag(entry)), h('span', {}, text(entry).slice(0, 300)), h('span', { class: 'wide dim' }, entry.fault && entry.kind === 'call' ? `⚡ ${entry.fault}` : '')]
  })
  split.append(list.element, detail)

  function pick (from, to) {
    first = from
    last = to
    draw()
    list.draw()
  }

  function choose (entry, event) {
    if (event.shiftKey && first !== null) return pick(Math.min(first, entry.id), Math.max(first, entry.id))
    if (first === null || first === last) pick(entry.id, entry.id)
    show(entry)
  }

  function show (entry) {
    open = entry
    detail.hidden = false
    split.classList.add('open')
    const inside = entry.kind === 'call' ? callDetail(entry) : entry.topic && !entry.kind.startsWith('subscribe') ? messageDetail(entry) : [h('pre', { tabindex: 0 }, JSON.stringify(entry, null, 2))]
    const mark = (name, action) => h('button', { type: 'button', onclick: action }, t(name))
    detail.replaceChildren(h('h2', {}, h('span', {}, tag(entry), ' ', text(entry).slice(0, 80)), h('button', { class: 'quiet', type: 'button', onclick: () => {
      detail.hidden = true
      split.classList.remove('open')
    } }, t('Close'))), h('div', { class: 'tools' }, mark('First line', () => pick(open.id, Math.max(open.id, last ?? 0))), mark('Last line', () => pick(Math.min(open.id, first ?? open.id), open.id))), h('br'), ...inside)
  }

  async function spec () {
    try {
      const said = await get(`spec?after=${first - 1}&upto=${last}&as=${format.value}`)
      if (said.error) throw new Error(said.error)
      detail.hidden = false
      split.classList.add('open')
      detail.replaceChildren(h('h2', {}, h('span', {}, format.value), h('button', { class: 'quiet', type: 'button', onclick: () => copy(said.text, t('copied')) }, t('Copy as spec'))),
        h('p', { class: 'dim' }, t('You can edit it; it starts a sandbox of its own.')), h('pre', { class: 'spec', tabindex: 0 }, said.text))
      copy(said.text, t('copied'))
    } catch (error) { toast(error.message) }
  }

  function draw () {
    list.show(state.entries.filter(entry => !hidden.has(group(entry))), true)
    const count = first === null ? 0 : state.entries.filter(entry => entry.id >= first && entry.id <= last).length
    chosenText.textContent = count === 0 ? t('Choose a line, then another one with Shift.') : t('chosen: {0}', count)
    make.disabled = count === 0
    clear.disabled = count === 0
  }

  return {
    elements: [
      h('div', { class: 'head' }, h('h1', {}, t('Timeline')), h('div', { class: 'tools', role: 'group', 'aria-label': t('Kind') }, switches),
        h('p', {}, t('All that happened, in its order. Choose a first and a last line to make a test of what stands between.'))),
      h('div', { class: 'head' }, chosenText, h('div', { class: 'tools' }, format, make, clear)), split
    ],
    draw
  }
}
