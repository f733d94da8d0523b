// SPDX-License-Identifier: MIT
// The console in a real Chromium, as a person uses it: by the mouse, by the keyboard alone, on a telephone; and pages of
// other people, which must not reach it. Prints "ok NAME" or "not ok NAME: why"; console_spec.lua runs it.
//   node spec/sandbox/console.cjs              every check
//   node spec/sandbox/console.cjs pictures     docs/console.png and docs/console-timeline.png
const assert = require('node:assert')
const { execFileSync, spawn } = require('node:child_process')
const fs = require('node:fs')
const http = require('node:http')
const os = require('node:os')
const path = require('node:path')
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')
const mqtt = require('mqtt')
const { chromium } = require('playwright-core')

const COMMAND = (process.env.FOGCLOUD_COMMAND || 'lua5.4 bin/fogcloud').split(' ')
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--host-resolver-rules=MAP evil.example 127.0.0.1']
const PANELS = ['overview', 'devices', 'clients', 'messages', 'requests', 'faults', 'clock', 'timeline']
const WAIT = 15000

let browser
const started = new Set()

async function startSandbox (...options) {
  const child = spawn(COMMAND[0], [...COMMAND.slice(1), 'sandbox', '--json', '--until-eof', ...options], { stdio: ['pipe', 'pipe', 'inherit'] })
  started.add(child)
  let said = ''
  for await (const piece of child.stdout) {
    said += piece
    if (said.includes('\n')) break
  }
  const info = JSON.parse(said)
  info.stop = () => new Promise(resolve => {
    child.on('exit', () => {
      started.delete(child)
      resolve()
    })
    child.stdin.end()
  })
  return info
}

async function call (sandbox, method, where, fields, token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {}
  const reply = await fetch(`${sandbox.url}/v3/open_api/${where}`, { method, headers, body: method === 'GET' ? undefined : new URLSearchParams(fields) })
  return (await reply.json()).data
}

const control = async (sandbox, where, body) => (await fetch(`${sandbox.url}/_sandbox/${where}`, body ? { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } } : {})).json()

async function newToken (sandbox) {
  return (await call(sandbox, 'POST', 'token/', { grant_type: 'client_credentials', client_id: sandbox.client_id, client_secret: sandbox.client_secret })).access_token
}

// An MQTT client with permission for devices, connected and subscribed; `got` has what came.
async function gateway (sandbox, devices) {
  const token = await newToken(sandbox)
  const made = await call(sandbox, 'POST', 'mqtt/client/', { app_id: sandbox.app_id }, token)
  for (const device of devices) await call(sandbox, 'POST', 'mqtt/permission/', { client_id: made.clientid, device_id: device }, token)
  const client = await mqtt.connectAsync(`mqtt://${sandbox.mqtt_host}:${sandbox.mqtt_port}`, { clientId: made.clientid, username: made.loginname, password: made.password, reconnectPeriod: 100 })
  const got = []
  client.on('message', (topic, payload) => got.push(`${topic} ${payload}`))
  await client.subscribeAsync('d2c/#', { qos: 1 })
  return { ...made, client, got, token }
}

async function device (sandbox, id) {
  return mqtt.connectAsync(`mqtt://${sandbox.mqtt_host}:${sandbox.mqtt_port}`, { clientId: `d-${id}`, username: id, password: `${id}-secret`, reconnectPeriod: 0 })
}

async function until (done, what) {
  const end = Date.now() + WAIT
  while (!(await done())) {
    if (Date.now() > end) throw new Error(`it did not happen: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

// A page of the console; whatever goes wrong in it, and whatever it asks of anybody else, is a failure.
async function open (sandbox, panel, options = {}) {
  const context = await browser.newContext({ viewport: { width: options.width || 1280, height: options.height || 820 }, locale: options.locale || 'en-US', colorScheme: options.scheme || 'light', permissions: ['clipboard-read', 'clipboard-write'] })
  const page = await context.newPage()
  page.setDefaultTimeout(WAIT)
  page.wrong = []
  page.on('pageerror', error => page.wrong.push(error.message))
  page.on('console', message => { if (message.type() === 'error' && !options.lenient) page.wrong.push(message.text()) })
  page.on('request', request => { if (!request.url().startsWith(new URL(sandbox.url).origin + '/')) page.wrong.push(`asks ${request.url()}`) })
  await page.goto(`${options.address || sandbox.console}&panel=${panel}`)
  await page.getByRole('status').first().getByText(/connected|已连接/).waitFor()
  await page.locator('main h1').waitFor()
  return page
}

async function close (page) {
  assert.deepStrictEqual(page.wrong, [])
  await page.context().close()
}

const checks = {}

checks['shows at first glance how it is, and messages per second as a line'] = async () => {
  const sandbox = await startSandbox()
  const page = await open(sandbox, 'overview')
  for (const text of ['answers requests', 'takes connections', 'runs with real time']) await page.getByText(text).waitFor()
  await page.getByText('Nothing has happened yet').waitFor()
  await page.getByText(`export FOGCLOUD_MQTT_PORT='${sandbox.mqtt_port}'`).waitFor()
  const dev1 = await device(sandbox, 'dev1')
  for (let i = 0; i < 50; i++) await dev1.publishAsync('d2c/dev1/status', `{"n":${i}}`, { qos: 1 })
  await page.locator('.chart polyline').waitFor()
  await page.getByText('50 in all').waitFor()
  await dev1.endAsync()
  await control(sandbox, 'broker', { action: 'stop' })
  await page.getByText('is stopped').waitFor()
  await control(sandbox, 'broker', { action: 'start' })
  await page.getByText('takes connections').waitFor()
  await close(page)
  await sandbox.stop()
}

checks['plays a device from end to end'] = async () => {
  const sandbox = await startSandbox()
  const peer = await gateway(sandbox, ['dev1'])
  const page = await open(sandbox, 'devices')
  await page.locator('.row', { hasText: 'dev1' }).click()
  await page.getByRole('button', { name: 'Bring online' }).click()
  await page.getByRole('button', { name: 'Take offline' }).waitFor()
  await page.getByRole('textbox', { name: 'Payload' }).fill('{"power":"dimmed"}')
  await page.getByRole('button', { name: 'Report', exact: true }).click()
  await until(() => peer.got.includes('d2c/dev1/status {"power":"dimmed"}'), 'the report reaches the client')
  await peer.client.publishAsync('c2d/dev1/commands', '{"power":"on"}', { qos: 1 })
  await page.locator('.detail li', { hasText: '{"power":"on"}' }).getByRole('button', { name: 'Answer' }).click()
  await until(() => peer.got.includes('d2c/dev1/status {"power":"on"}'), 'the answer reaches the client')
  await page.getByLabel('Answer each command with its own payload').check()
  await peer.client.publishAsync('c2d/dev1/commands', '{"power":"off"}', { qos: 1 })
  await until(() => peer.got.includes('d2c/dev1/status {"power":"off"}'), 'a command is answered by itself')
  await page.getByRole('button', { name: 'Take offline' }).click()
  await page.getByRole('button', { name: 'Bring online' }).waitFor()
  await close(page)
  await peer.client.endAsync()
  await sandbox.stop()
}

checks['arms a fault, and shows that it struck'] = async () => {
  const sandbox = await startSandbox('--mqtt-faults')
  const page = await open(sandbox, 'faults')
  await page.getByText('Nothing is armed').waitFor()
  await page.getByLabel('Which call').selectOption('products')
  await page.getByLabel('Kind').selectOption('status')
  await page.getByLabel('How many (0: without end)').fill('2')
  await page.getByRole('button', { name: 'Arm' }).click()
  await page.getByText('struck 0 times').waitFor()
  const token = await newToken(sandbox)
  const reply = await fetch(`${sandbox.url}/v3/open_api/product/ids/`, { headers: { Authorization: `Bearer ${token}` } })
  assert.strictEqual(reply.status, 503)
  await page.getByText('struck 1 times').waitFor()
  await page.getByText('1 left').waitFor()
  for (const kind of ['code', 'delay', 'cut', 'lost', 'retry', 'body', 'truncate', 'size', 'trickle']) { // each kind is one that the sandbox takes
    await page.getByLabel('Kind').selectOption(kind)
    await page.getByRole('button', { name: 'Arm' }).click()
    await until(async () => (await control(sandbox, 'faults')).faults.length > 0 && await page.locator('#toast').textContent() === 'armed', kind)
    await page.locator('#toast').evaluate(toast => { toast.textContent = '' })
  }
  assert.strictEqual((await control(sandbox, 'faults')).faults.length, 10)
  await page.getByRole('button', { name: 'Clear all' }).click()
  await page.getByText('Nothing is armed').waitFor()
  await page.locator('select[name=refuse]').selectOption('true')
  await page.getByRole('button', { name: 'Set rules' }).click()
  await page.getByText('refuse=true').waitFor()
  assert.throws(() => execFileSync('mosquitto_pub', ['-h', '127.0.0.1', '-p', String(sandbox.mqtt_port), '-u', 'dev1', '-P', 'dev1-secret', '-t', 'd2c/dev1/x', '-m', 'x'], { stdio: 'ignore' }))
  await page.getByText('refuse=true met by 1 connections').waitFor()
  await close(page)
  await sandbox.stop()
}

checks['grants, and revokes what then stops messages'] = async () => {
  const sandbox = await startSandbox()
  const peer = await gateway(sandbox, ['dev1'])
  const dev1 = await device(sandbox, 'dev1')
  await dev1.publishAsync('d2c/dev1/status', 'before', { qos: 1 })
  const page = await open(sandbox, 'clients')
  await page.locator('.row', { hasText: peer.clientid }).click()
  await page.getByRole('button', { name: 'Revoke dev1' }).click()
  await page.getByText('It may talk to no device.').waitFor()
  await dev1.publishAsync('d2c/dev1/status', 'between', { qos: 1 })
  await page.getByRole('combobox', { name: 'Device' }).fill('dev1')
  await page.getByRole('button', { name: 'Grant' }).click()
  await page.getByRole('button', { name: 'Revoke dev1' }).waitFor()
  await dev1.publishAsync('d2c/dev1/status', 'after', { qos: 1 })
  await until(() => peer.got.length === 2, 'messages come again')
  assert.deepStrictEqual(peer.got, ['d2c/dev1/status before', 'd2c/dev1/status after'])
  let gone = 0
  peer.client.on('close', () => gone++)
  await page.getByRole('button', { name: 'Disconnect' }).click()
  await until(() => gone === 1, 'the client is thrown out')
  await close(page)
  await dev1.endAsync()
  await peer.client.endAsync()
  await sandbox.stop()
}

checks['shows messages as they come, filters, pauses, unfolds and publishes'] = async () => {
  const sandbox = await startSandbox()
  const page = await open(sandbox, 'messages')
  await page.getByText('No message has come').waitFor()
  const dev1 = await device(sandbox, 'dev1')
  await dev1.publishAsync('d2c/dev1/status', '{"lamp":{"level":[1,2,{"deep":true}]}}', { qos: 1, retain: true })
  await dev1.publishAsync('d2c/dev1/log', '<img src=x onerror=alert(1)>', { qos: 0 })
  await dev1.publishAsync('d2c/dev2/status', 'forged', { qos: 1 })
  await page.locator('.row', { hasText: 'd2c/dev2/status' }).getByText('refused').waitFor()
  await page.locator('.row', { hasText: 'onerror' }).click()
  await page.locator('.detail pre', { hasText: '<img src=x onerror=alert(1)>' }).waitFor()
  assert.strictEqual(await page.locator('main img').count(), 0) // what a device says is text
  await page.getByRole('searchbox').fill('d2c/+/status')
  await until(async () => await page.locator('.row').count() === 2, 'the filter counts')
  await page.locator('.row', { hasText: 'd2c/dev1/status' }).click()
  await page.locator('.tree summary', { hasText: 'level: [3]' }).click()
  await page.locator('.tree', { hasText: '2: {1}' }).waitFor()
  await page.locator('.detail', { hasText: 'retained' }).waitFor()
  await page.getByRole('searchbox').fill('')
  await page.getByRole('button', { name: 'Pause' }).click()
  await page.locator('summary', { hasText: 'Publish' }).click()
  await page.getByRole('textbox', { name: 'Topic', exact: true }).fill('c2d/dev1/commands')
  const command = new Promise(resolve => dev1.on('message', (topic, payload) => resolve(payload.toString())))
  await dev1.subscribeAsync('c2d/dev1/#')
  await page.getByRole('textbox', { name: 'Payload' }).fill('from the console')
  await page.getByRole('button', { name: 'Publish' }).click()
  assert.strictEqual(await command, 'from the console')
  assert.strictEqual(await page.locator('.row', { hasText: 'from the console' }).count(), 0)
  await page.getByRole('button', { name: 'Go on' }).click()
  await page.locator('.row', { hasText: 'from the console' }).waitFor()
  await close(page)
  await dev1.endAsync()
  await sandbox.stop()
}

checks['shows calls, all of one, and gives it as curl that is taken'] = async () => {
  const sandbox = await startSandbox()
  const page = await open(sandbox, 'requests')
  await page.getByText('No call has come').waitFor()
  const token = await newToken(sandbox)
  await call(sandbox, 'POST', 'mqtt/permission/', { client_id: 'x', device_id: 'dev1' }, token)
  await page.locator('.row', { hasText: 'token' }).click()
  await page.locator('.detail', { hasText: 'client_credentials' }).waitFor()
  await page.getByRole('button', { name: 'Copy as curl' }).click()
  const curl = await page.evaluate(() => navigator.clipboard.readText())
  const said = execFileSync('sh', ['-c', curl + ' -s'], { env: { ...process.env, FOGCLOUD_BASE_URL: sandbox.url, FOGCLOUD_CLIENT_SECRET: sandbox.client_secret } })
  assert.strictEqual(JSON.parse(said).meta.code, 0)
  await page.locator('.row', { hasText: 'grant' }).click()
  await page.getByText('Near call that is taken').waitFor()
  await page.getByRole('searchbox').fill('grant')
  await until(async () => await page.locator('.row').count() === 1, 'the filter counts')
  await close(page)
  await sandbox.stop()
}

checks['moves the clock, and tells how long tokens live'] = async () => {
  const sandbox = await startSandbox('--token-life', '7200')
  const token = await newToken(sandbox)
  const page = await open(sandbox, 'clock')
  await page.getByText(/1 h 59 min left to live|2 h left to live/).waitFor()
  await page.getByRole('button', { name: 'Freeze' }).click()
  await page.getByText('clock frozen').waitFor()
  await page.getByRole('button', { name: '+1 hour' }).click()
  await page.getByText(/59 min left to live/).waitFor()
  await page.getByLabel('Advance by seconds').fill('3601')
  await page.getByRole('button', { name: 'Advance', exact: true }).click()
  await page.getByText('expired').waitFor()
  assert.strictEqual((await fetch(`${sandbox.url}/v3/open_api/product/ids/`, { headers: { Authorization: `Bearer ${token}` } })).status, 401)
  await page.getByRole('button', { name: 'Back to real time' }).click()
  await page.getByText('runs with real time').waitFor()
  await page.getByRole('button', { name: 'Forget all tokens' }).click()
  await page.getByText('No token has been issued').waitFor()
  await close(page)
  await sandbox.stop()
}

checks['writes the test of a span, which passes unchanged'] = async () => {
  const sandbox = await startSandbox()
  const peer = await gateway(sandbox, ['dev1'])
  const dev1 = await device(sandbox, 'dev1')
  await dev1.publishAsync('d2c/dev1/status', '{"power":"on"}', { qos: 1 })
  await call(sandbox, 'POST', 'mqtt/permission/', { client_id: peer.clientid, device_id: 'nobody' }, peer.token)
  await dev1.endAsync()
  const page = await open(sandbox, 'timeline')
  await page.locator('.row', { hasText: 'd2c/dev1/status' }).waitFor()
  assert.strictEqual(await page.getByRole('button', { name: 'Copy as spec' }).isDisabled(), true)
  await page.locator('.row').first().click()
  await page.locator('.row', { hasText: 'device_id is unknown' }).click({ modifiers: ['Shift'] })
  for (const [as, name, run] of [
    ['busted', 'span_spec.lua', file => execFileSync(COMMAND[0], ['/usr/bin/busted', file])],
    ['pytest', 'test_span.py', file => execFileSync('/usr/bin/python3', ['-B', '-m', 'pytest', '-q', '-p', 'no:cacheprovider', file], { env: { ...process.env, FOGCLOUD: program } })]
  ]) {
    await page.getByLabel('Test as').selectOption(as)
    await page.getByRole('button', { name: 'Copy as spec' }).first().click()
    await page.locator('.spec', { hasText: as === 'busted' ? 'describe(' : 'def test_' }).waitFor()
    const text = await page.evaluate(() => navigator.clipboard.readText())
    assert.match(text, /d2c\/dev1\/status/)
    assert.match(text, /with device_id=dev1 it is taken/)
    fs.writeFileSync(path.join(folder, name), text)
    run(path.join(folder, name))
  }
  await close(page)
  await peer.client.endAsync()
  await sandbox.stop()
}

checks['comes back after a restart, and says that its key is of another sandbox'] = async () => {
  const first = await startSandbox()
  const port = new URL(first.url).port
  const page = await open(first, 'devices', { lenient: true })
  await page.locator('.row', { hasText: 'dev1' }).waitFor()
  await first.stop()
  await page.getByText('not connected').waitFor()
  const second = await startSandbox('--port', port, '--device', 'newcomer')
  await page.getByText('The sandbox was started anew').waitFor()
  await page.locator('.row', { hasText: 'newcomer' }).click()
  await page.getByRole('button', { name: 'Bring online' }).click()
  await page.getByText("the console's key is missing or of another sandbox").waitFor()
  assert.strictEqual((await control(second, 'links')).played.length, 0)
  await close(page)
  const plain = await open(second, 'devices', { address: second.url + '/#x=' })
  await plain.getByText('This page cannot change anything').or(plain.getByText('The page cannot change anything')).waitFor()
  await plain.locator('.row', { hasText: 'dev1' }).click()
  assert.strictEqual(await plain.getByRole('button', { name: 'Bring online' }).isDisabled(), true)
  await close(plain)
  await second.stop()
}

async function filled () {
  const sandbox = await startSandbox('--mqtt-faults')
  const peer = await gateway(sandbox, ['dev1'])
  await control(sandbox, 'play', { device: 'dev1' })
  await control(sandbox, 'faults', { endpoint: 'products', code: 10050, count: 3 })
  await call(sandbox, 'GET', 'product/ids/', null, peer.token)
  await call(sandbox, 'POST', 'mqtt/permission/', { client_id: peer.clientid, device_id: 'nobody' }, peer.token)
  const dev2 = await device(sandbox, 'dev2')
  await dev2.publishAsync('d2c/dev2/status', '{"kwh":17.25,"phases":[{"v":229.8},{"v":231}]}', { qos: 1, retain: true })
  await dev2.publishAsync('d2c/dev1/status', 'forged', { qos: 1 })
  await peer.client.publishAsync('c2d/dev1/commands', '{"power":"on"}', { qos: 1 })
  await control(sandbox, 'clock', { advance: 60 })
  sandbox.end = async () => {
    await dev2.endAsync()
    await peer.client.endAsync()
    await sandbox.stop()
  }
  return { ...sandbox, peer, dev2 }
}

// Opens what a panel has to open, so that it is looked at, too.
async function unfold (page) {
  const row = page.locator('.row').last()
  if (await row.count() > 0) await row.click()
  for (const summary of await page.locator('main > details > summary').all()) await summary.click()
}

checks['has nothing that axe finds, in both languages, light and dark'] = async () => {
  const sandbox = await filled()
  for (const [locale, scheme] of [['en-US', 'light'], ['zh-CN', 'dark']]) {
    for (const panel of PANELS) {
      const page = await open(sandbox, panel, { locale, scheme })
      await page.waitForTimeout(300)
      await unfold(page)
      await page.evaluate(axe)
      const found = await page.evaluate(() => window.axe.run(document))
      assert.deepStrictEqual(found.violations.map(one => `${panel} ${one.id}: ${one.nodes.map(node => node.html).join(' ')}`), [])
      await close(page)
    }
  }
  await sandbox.end()
}

checks['speaks Chinese to a browser that does'] = async () => {
  const sandbox = await filled()
  const page = await open(sandbox, 'overview', { locale: 'zh-CN' })
  assert.strictEqual(await page.locator('html').getAttribute('lang'), 'zh')
  for (const panel of PANELS) {
    await page.evaluate(name => { location.hash = location.hash.replace(/panel=\w+/, 'panel=' + name) }, panel)
    await page.locator(`nav a[data-panel=${panel}][aria-current]`).waitFor()
    const texts = [await page.locator('main h1').textContent(), await page.locator('main .head p').first().textContent(), ...await page.locator('main button:not(.row)').allTextContents(), ...await page.locator('main h2').allTextContents()]
    const english = texts.filter(text => /[a-z]{4}/.test(text) && !/curl|MQTT|API/.test(text))
    assert.deepStrictEqual(english, [], panel)
  }
  const dictionary = fs.readFileSync('lua/fogcloud/sandbox/console/i18n.js', 'utf8')
  for (const file of fs.readdirSync('lua/fogcloud/sandbox/console').filter(name => name.endsWith('.js'))) { // every word has its translation
    const source = fs.readFileSync(`lua/fogcloud/sandbox/console/${file}`, 'utf8')
    for (const [, , text] of source.matchAll(/\bt\((['"])(.*?)\1/g)) assert.ok(dictionary.includes(`'${text}':`) || dictionary.includes(`${text}:`), `${file}: ${text}`)
  }
  await close(page)
  await sandbox.end()
}

checks['is used by the keyboard alone'] = async () => {
  const sandbox = await startSandbox()
  const page = await open(sandbox, 'overview')
  const focused = () => page.evaluate(() => document.activeElement.textContent.trim())
  const tabTo = async (text, most = 60) => {
    for (let i = 0; i < most; i++) {
      await page.keyboard.press('Tab')
      if ((await focused()).startsWith(text)) return
    }
    throw new Error(`no way to ${text}`)
  }
  await page.keyboard.press('Tab')
  assert.strictEqual(await focused(), 'Skip to content')
  await tabTo('Devices')
  await page.keyboard.press('Enter')
  await page.locator('.row', { hasText: 'dev2' }).waitFor()
  await page.locator('.list').focus()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowDown')
  assert.match(await focused(), /^dev2/)
  await page.keyboard.press('Home')
  assert.match(await focused(), /^dev1/)
  await page.keyboard.press('Enter')
  await page.locator('.detail h2', { hasText: 'dev1' }).waitFor()
  await tabTo('Bring online')
  await page.keyboard.press('Space')
  await page.getByRole('button', { name: 'Take offline' }).waitFor()
  await tabTo('Report')
  await page.keyboard.press('Enter')
  await until(async () => (await control(sandbox, 'timeline')).entries.some(entry => entry.topic === 'd2c/dev1/status'), 'a report by the keyboard')
  await close(page)
  await sandbox.stop()
}

checks['fits 320 pixels and 1,920'] = async () => {
  const sandbox = await filled()
  for (const width of [320, 768, 1920]) {
    for (const panel of PANELS) {
      const page = await open(sandbox, panel, { width, height: 700 })
      await page.waitForTimeout(200)
      await unfold(page)
      const wide = await page.evaluate(() => [...document.querySelectorAll('body, main, main > *, .card')].filter(element => element.getBoundingClientRect().right > innerWidth + 1).map(element => element.className || element.tagName))
      assert.deepStrictEqual(wide, [], `${panel} at ${width}`)
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${panel} at ${width}`)
      await close(page)
    }
  }
  await sandbox.end()
}

checks['stays quick with ten thousand rows'] = async () => {
  const sandbox = await startSandbox()
  const page = await open(sandbox, 'timeline')
  for (let i = 0; i < 11; i++) {
    const dev1 = await device(sandbox, 'dev1')
    for (let n = 0; n < 10; n++) {
      await Promise.all(Array.from({ length: 100 }, (_, k) => dev1.publishAsync('d2c/dev1/status', `{"n":${i * 1000 + n * 100 + k}}`, { qos: 1 })))
      await new Promise(resolve => setTimeout(resolve, 60))
    }
    await dev1.endAsync()
  }
  await page.locator('.row', { hasText: '{"n":10999}' }).waitFor()
  const { rows, height } = await page.evaluate(() => ({ rows: document.querySelectorAll('.row').length, height: document.querySelector('.list ol').offsetHeight }))
  assert.ok(rows < 80, `${rows} rows in the page`)
  assert.ok(height <= 10000 * 38, 'more than 10,000 are kept')
  assert.ok(height > 5000 * 38, `${height / 38} are kept`)
  const took = await page.evaluate(async () => {
    const list = document.querySelector('.list')
    const began = performance.now()
    for (let i = 0; i < 100; i++) {
      list.scrollTop = i * 2000
      list.dispatchEvent(new Event('scroll'))
    }
    return performance.now() - began
  })
  assert.ok(took < 5000, `100 screens took ${took} ms`)
  await close(page)
  await sandbox.stop()
}

checks['keeps nothing, asks nobody else, and is under 100 KB in all'] = async () => {
  const sandbox = await filled()
  const page = await open(sandbox, 'overview')
  const sizes = {}
  for (const [file, media] of await page.evaluate(() => performance.getEntriesByType('resource').map(each => [each.name, each.initiatorType]))) if (!file.includes('_sandbox')) sizes[file] = media
  let total = 0
  for (const file of [sandbox.url + '/', ...Object.keys(sizes)]) {
    const reply = await fetch(file)
    assert.strictEqual(reply.status, 200, file)
    const policy = reply.headers.get('content-security-policy')
    assert.match(policy, /default-src 'none'/)
    assert.doesNotMatch(policy, /unsafe|\*|https?:/)
    total += (await reply.text()).length
  }
  assert.ok(Object.keys(sizes).length > 10)
  assert.ok(total < 100000, `${total} bytes`)
  const kept = await page.evaluate(async () => [localStorage.length, sessionStorage.length, document.cookie, (await indexedDB.databases()).length, (await caches.keys()).length])
  assert.deepStrictEqual(kept, [0, 0, '', 0, 0])
  assert.strictEqual(await page.locator('script:not([src]), [onclick], [style*=expression]').count(), 0)
  await close(page)
  await sandbox.end()
}

// A page of somebody else's, whom the developer visits: it knows where the sandbox is, and even the link with the key.
const attacks = sandbox => `<!doctype html><meta charset="utf-8"><title>attacks</title><body><script>
const url = ${JSON.stringify(sandbox.url)}, link = ${JSON.stringify(sandbox.console)}, key = ${JSON.stringify(sandbox.console.split('key=')[1])}
const said = {}
const attempt = async (name, fn) => { try { said[name] = await fn() } catch (error) { said[name] = 'refused' } }
const read = (path, options) => fetch(url + path, options).then(reply => reply.text())
const later = (ms, value) => new Promise(resolve => setTimeout(() => resolve(value), ms))
const json = { 'Content-Type': 'application/json', 'X-Fogcloud-Sandbox-Key': key }
window.done = (async () => {
  await attempt('read', () => read('/_sandbox/info'))
  await attempt('opaque', () => read('/_sandbox/info', { mode: 'no-cors' }).then(text => text || 'refused'))
  await attempt('json post', () => read('/_sandbox/reset', { method: 'POST', body: '{}', headers: json }))
  await attempt('plain post', () => read('/_sandbox/reset', { method: 'POST', body: '{}', headers: { 'Content-Type': 'text/plain' } }))
  await attempt('quiet post', async () => { await fetch(url + '/_sandbox/reset', { method: 'POST', mode: 'no-cors', body: '{}' }); return 'refused' })
  await attempt('beacon', () => { navigator.sendBeacon(url + '/_sandbox/reset', new Blob(['{}'], { type: 'text/plain' })); return later(300, 'refused') })
  await attempt('delete', () => read('/_sandbox/faults', { method: 'DELETE', headers: json }))
  await attempt('events', () => new Promise(resolve => { const events = new EventSource(url + '/_sandbox/events'); events.onerror = () => resolve('refused'); events.onopen = () => resolve('open') }))
  await attempt('form', async () => {
    const frame = document.createElement('iframe'); frame.name = 'target'; document.body.append(frame)
    const form = document.createElement('form'); form.method = 'post'; form.enctype = 'text/plain'; form.action = url + '/_sandbox/reset'; form.target = 'target'
    const input = document.createElement('input'); input.name = '{"x":"'; input.value = '"}'; form.append(input); document.body.append(form); form.submit()
    return later(500, 'refused')
  })
  await attempt('frame', async () => {
    const frame = document.createElement('iframe'); frame.src = link; document.body.append(frame)
    await later(800)
    return frame.contentWindow.length === 0 ? 'refused' : 'framed'
  })
  await attempt('script', () => new Promise(resolve => { const script = document.createElement('script'); script.src = url + '/console/app.js'; script.onload = () => resolve('loaded'); script.onerror = () => resolve('refused'); document.body.append(script) }))
  await attempt('stolen link', async () => {
    const other = window.open(link)
    await later(1000)
    if (other === null || other.closed) return 'refused'
    try { return other.document.title } catch { return 'refused' }
  })
  return said
})()
</script>`

checks['is closed to pages of others: rebinding, forms, event streams, frames, a stolen link'] = async () => {
  const sandbox = await filled()
  const server = http.createServer((request, reply) => reply.setHeader('Content-Type', 'text/html').end(attacks(sandbox)))
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const before = await control(sandbox, 'state')
  const context = await browser.newContext()
  for (const host of ['evil.example', 'localhost', '127.0.0.1']) {
    const page = await context.newPage()
    await page.goto(`http://${host}:${server.address().port}/`)
    const said = await page.evaluate(() => window.done)
    assert.deepStrictEqual([...new Set(Object.values(said))], ['refused'], `${host}: ${JSON.stringify(said)}`)
    assert.strictEqual(Object.keys(said).length, 12)
  }
  const rebound = await context.newPage() // the name of the page is made to point to us: then it is one origin for the browser
  for (const where of ['/_sandbox/info', '/', '/_sandbox/events']) {
    const reply = await rebound.goto(`http://evil.example:${new URL(sandbox.url).port}${where}`)
    assert.strictEqual(reply.status(), 421)
    assert.doesNotMatch(await reply.text(), /secret/)
  }
  const inside = await rebound.evaluate(async key => {
    const reply = await fetch('/_sandbox/reset', { method: 'POST', body: '{}', headers: { 'Content-Type': 'application/json', 'X-Fogcloud-Sandbox-Key': key } })
    return reply.status
  }, sandbox.console.split('key=')[1])
  assert.strictEqual(inside, 421)
  assert.deepStrictEqual(await control(sandbox, 'state'), before)
  assert.ok((await control(sandbox, 'timeline')).entries.every(entry => entry.call !== 'POST reset'))
  await context.close()
  server.close()
  await sandbox.end()
}

async function pictures () {
  const sandbox = await filled()
  await control(sandbox, 'clock', { advance: -60 })
  const page = await open(sandbox, 'overview', { width: 1280, height: 840 })
  for (let second = 0; second < 40; second++) {
    for (let i = 0; i < Math.round(6 + 4 * Math.sin(second / 3)); i++) await control(sandbox, 'report', { device: 'dev1', channel: 'status', payload: `{"power":"on","level":${second}}` })
    await page.waitForTimeout(800)
  }
  await call(sandbox, 'GET', 'product/ids/', null, sandbox.peer.token)
  await call(sandbox, 'POST', 'mqtt/permission/', { client_id: sandbox.peer.clientid, device_id: 'dev2' }, sandbox.peer.token)
  await sandbox.dev2.publishAsync('d2c/dev2/status', '{"kwh":17.5}', { qos: 1 })
  await call(sandbox, 'POST', 'mqtt/permission/', { client_id: sandbox.peer.clientid, device_id: 'dev3' }, sandbox.peer.token)
  await control(sandbox, 'publish', { topic: 'c2d/dev1/commands', payload: '{"power":"off"}' })
  await page.getByText('{"power":"off"}').waitFor()
  await page.waitForTimeout(1200)
  await page.screenshot({ path: 'docs/console.png' })
  await close(page)
  const dark = await open(sandbox, 'timeline', { scheme: 'dark', width: 1280, height: 840 })
  await dark.locator('.list').evaluate(list => { list.scrollTop = 0 })
  await dark.locator('.row').first().click()
  await dark.locator('.row', { hasText: 'd2c/dev2/status' }).first().click({ modifiers: ['Shift'] })
  await dark.getByRole('button', { name: 'Copy as spec' }).first().click()
  await dark.locator('.spec').waitFor()
  await dark.waitForTimeout(4500)
  await dark.screenshot({ path: 'docs/console-timeline.png' })
  await close(dark)
  await sandbox.end()
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fogcloud-console-'))
const program = path.join(folder, 'fogcloud')
fs.writeFileSync(program, `#!/bin/sh\nexec ${COMMAND.join(' ')} "$@"\n`, { mode: 0o755 })

async function main () {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS })
  const wanted = process.argv[2]
  if (wanted === 'pictures') await pictures()
  else {
    for (const [name, check] of Object.entries(checks)) {
      if (wanted && !name.includes(wanted)) continue
      try {
        await check()
        console.log(`ok ${name}`)
      } catch (error) {
        console.log(`not ok ${name}: ${String(error.stack || error).split('\n').slice(0, 12).join(' | ')}`)
        for (const child of started) child.stdin.end()
        started.clear()
      }
    }
  }
  await browser.close()
}

main().finally(() => {
  fs.rmSync(folder, { recursive: true, force: true })
  process.exit()
})
