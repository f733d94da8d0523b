// SPDX-License-Identifier: MIT
// A lamp that answers a gateway: fogcloud sandbox exec -- node --test lamp.test.cjs   (npm install mqtt)
const assert = require('node:assert')
const test = require('node:test')
const mqtt = require('mqtt')

const env = process.env
const broker = `mqtt://${env.FOGCLOUD_MQTT_HOST}:${env.FOGCLOUD_MQTT_PORT}`

async function call (method, path, fields, token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {}
  const body = new URLSearchParams(fields)
  return (await fetch(`${env.FOGCLOUD_BASE_URL}/v3/open_api/${path}`, { method, headers, body })).json()
}

test('a command reaches the lamp', async () => {
  const account = { client_id: env.FOGCLOUD_CLIENT_ID, client_secret: env.FOGCLOUD_CLIENT_SECRET }
  const token = (await call('POST', 'token/', { grant_type: 'client_credentials', ...account })).data.access_token
  const mine = (await call('POST', 'mqtt/client/', { app_id: env.FOGCLOUD_APP_ID }, token)).data
  await call('POST', 'mqtt/permission/', { client_id: mine.clientid, device_id: 'dev1' }, token)

  const lamp = await mqtt.connectAsync(broker, { clientId: 'lamp', username: 'dev1', password: 'dev1-secret' })
  const commands = new Promise(resolve => lamp.on('message', (topic, payload) => resolve([topic, payload.toString()])))
  await lamp.subscribeAsync('c2d/dev1/#', { qos: 1 })
  const gateway = await mqtt.connectAsync(broker, { clientId: mine.clientid, username: mine.loginname, password: mine.password })
  await gateway.publishAsync('c2d/dev1/commands', '{"power":"on"}', { qos: 1 })
  assert.deepStrictEqual(await commands, ['c2d/dev1/commands', '{"power":"on"}'])
  await gateway.endAsync()
  await lamp.endAsync()
})
