// SPDX-License-Identifier: MIT
// mqtt.js from npm. Arguments and output as in common.h; NODE_PATH names the folder of the package.
const mqtt = require('mqtt')
const fs = require('fs')

const mode = process.argv[2]
const [port, qos, size, count, window] = process.argv.slice(3, 8).map(Number)
const ca = process.argv[8]
let seen = 0, from, cpu

function start () { from = process.hrtime.bigint(); cpu = process.cpuUsage() }

function report () {
  const seconds = Number(process.hrtime.bigint() - from) / 1e9
  const used = process.cpuUsage(cpu)
  const rss = process.resourceUsage().maxRSS
  console.log(JSON.stringify({ count, seconds, cpu: (used.user + used.system) / 1e6, rss_kb: rss }))
  process.exit(0)
}

const client = mqtt.connect({
  protocol: ca ? 'mqtts' : 'mqtt', host: 'localhost', port, clientId: 'bench', ca: ca && fs.readFileSync(ca), protocolVersion: 4
})
client.on('message', (topic) => {
  if (mode === 'recv' && seen === 0) start()
  seen++
  if (topic === 'done' || (mode === 'recv' && seen === count)) report()
})
client.once('connect', () => {
  if (mode === 'recv') return client.subscribe('bench/#', { qos })
  const payload = Buffer.alloc(size, 'x')
  let sent = 0, flying = 0
  const more = () => {
    while (sent < count && flying < window) {
      sent++
      flying++
      client.publish('bench/topic', payload, { qos }, () => { flying--; more() })
    }
  }
  start()
  more()
})
