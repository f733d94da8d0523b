// SPDX-License-Identifier: MIT
// Elements, lists of any length, and the little things that all panels need. Nothing is ever made from markup: what a
// device or a client sends is text, wherever it is shown.

export function h (name, props, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value)
    else if (key === 'value' || key === 'checked') element[key] = value
    else element.setAttribute(key, value === true ? '' : value)
  }
  element.append(...children.flat(9).filter(child => child !== null && child !== undefined && child !== false))
  return element
}

const SVG = 'http://www.w3.org/2000/svg'

export function svg (name, props, ...children) {
  const element = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(props)) element.setAttribute(key, value)
  element.append(...children)
  return element
}

export function toast (text) {
  const place = document.getElementById('toast')
  place.textContent = text
  clearTimeout(toast.timer)
  toast.timer = setTimeout(() => { place.textContent = '' }, 4000)
}

export async function copy (text, said) {
  try {
    await navigator.clipboard.writeText(text)
    toast(said)
  } catch {
    toast(text)
  }
}

export function field (label, input) { return h('label', {}, label, input) }

export function select (options, chosen, props) {
  return h('select', props, options.map(([value, text]) => h('option', { value, selected: value === chosen }, text)))
}

const two = n => String(n).padStart(2, '0')

export function clockTime (seconds) {
  const t = new Date(seconds * 1000)
  return `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}.${String(t.getMilliseconds()).padStart(3, '0')}`
}

export function bytes (n) {
  return n < 1024 ? `${n} B` : n < 1048576 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 1048576).toFixed(1)} MiB`
}

// A value of JSON, folded out two levels deep.
export function tree (value, name, depth = 0) {
  const label = name === undefined ? '' : `${name}: `
  if (value === null || typeof value !== 'object') return h('div', { class: 'leaf' }, label, JSON.stringify(value))
  const entries = Object.entries(value)
  const mark = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`
  return h('details', { open: depth < 2 }, h('summary', {}, label + mark), entries.slice(0, 500).map(([key, inner]) => tree(inner, key, depth + 1)))
}

const ROW = 38
const SPARE = 8

// A list of any length that has elements only for what can be seen. `row(item)` makes the inside of a button.
export class List {
  constructor ({ label, row, columns, open, empty, key, chosen }) {
    Object.assign(this, { row, columns, open, empty, key: key || (item => item.id), chosen })
    this.items = []
    this.inner = h('ol', {})
    this.none = h('div', { class: 'empty' })
    this.element = h('div', { class: 'card list', tabindex: 0, role: 'region', 'aria-label': label }, this.inner, this.none)
    this.element.addEventListener('scroll', () => this.draw())
    this.element.addEventListener('keydown', event => this.move(event))
    new ResizeObserver(() => this.draw()).observe(this.element)
  }

  show (items, follow) {
    const atEnd = this.items.length === 0 || this.element.scrollTop + this.element.clientHeight >= this.inner.offsetHeight - ROW
    this.items = items
    this.inner.hidden = items.length === 0
    this.none.hidden = items.length > 0
    this.inner.style.height = `${items.length * ROW}px`
    if (follow && atEnd) this.element.scrollTop = items.length * ROW
    this.draw()
  }

  draw () {
    const first = Math.max(0, Math.floor(this.element.scrollTop / ROW) - SPARE)
    const last = Math.min(this.items.length, first + Math.ceil(this.element.clientHeight / ROW) + 2 * SPARE)
    const focused = this.inner.contains(document.activeElement) ? document.activeElement.dataset.key : null
    const lines = []
    for (let i = first; i < last; i++) {
      const item = this.items[i]
      const key = String(this.key(item))
      const classes = `row ${this.columns}${this.chosen && this.chosen(item) ? ' chosen' : ''}`
      const button = h('button', { type: 'button', class: classes, 'data-key': key, 'data-at': i, 'aria-current': key === this.current ? 'true' : null },
        this.row(item))
      button.addEventListener('click', event => this.choose(i, event))
      const line = h('li', {}, button)
      line.style.top = `${i * ROW}px`
      lines.push(line)
    }
    this.inner.replaceChildren(...lines)
    this.none.replaceChildren(...(this.items.length === 0 ? [this.empty()].flat() : []))
    if (focused !== null) this.inner.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true })
  }

  choose (i, event) {
    if (!this.items[i]) return
    this.current = String(this.key(this.items[i]))
    this.open(this.items[i], event)
    this.draw()
  }

  focus (i) {
    const at = Math.max(0, Math.min(this.items.length - 1, i))
    const top = at * ROW
    if (top < this.element.scrollTop) this.element.scrollTop = top
    if (top + ROW > this.element.scrollTop + this.element.clientHeight) this.element.scrollTop = top + ROW - this.element.clientHeight
    this.draw()
    this.inner.querySelector(`[data-at="${at}"]`)?.focus({ preventScroll: true })
  }

  move (event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }
    if (!(event.key in steps) || this.items.length === 0) return
    event.preventDefault()
    const at = Number(document.activeElement.dataset?.at ?? (event.key === 'ArrowUp' ? this.items.length : -1))
    const to = steps[event.key] === -Infinity ? 0 : steps[event.key] === Infinity ? this.items.length - 1 : at + steps[event.key]
    this.focus(to)
  }
}
