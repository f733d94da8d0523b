// SPDX-License-Identifier: MIT
// undici from npm, with JSON.parse. PORT MANY COUNT [CA]; with a CA by HTTP/2 over TLS.
const { Pool } = require('undici')
const fs = require('fs')

const [port, many, count] = process.argv.slice(2, 5).map(Number)
const ca = process.argv[5]
const pool = ca
  ? new Pool(`https://localhost:${port}`, {
    connections: 1, allowH2: true, pipelining: many, maxConcurrentStreams: 256, connect: { ca: fs.readFileSync(ca) }
  })
  : new Pool(`http://127.0.0.1:${port}`, { connections: many })
const headers = { authorization: 'Bearer t', 'content-type': 'application/x-www-form-urlencoded' }

async function calls (n) {
  for (let i = 0; i < n; i++) {
    const r = await pool.request({
      path: '/v3/open_api/mqtt/permission/', method: 'POST', headers, body: 'client_id=abc&device_id=dev1'
    })
    if ((await r.body.json()).meta.code !== 0) process.exit(1)
  }
}

async function main () {
  await calls(1)
  const from = process.hrtime.bigint()
  const cpu = process.cpuUsage()
  await Promise.all(Array.from({ length: many }, () => calls(Math.floor(count / many))))
  const seconds = Number(process.hrtime.bigint() - from) / 1e9
  const used = process.cpuUsage(cpu)
  const rss = process.resourceUsage().maxRSS
  console.log(JSON.stringify({ count, seconds, cpu: (used.user + used.system) / 1e6, rss_kb: rss }))
  process.exit(0)
}

main()
