-- SPDX-License-Identifier: MIT

--- What the sandbox's console costs: messages through the broker while one is open in a browser, and without; and how
--- soon a sandbox is ready. mosquitto's own clients send and receive, so that nothing of ours is in the way but the
--- broker's plugin. Writes a Markdown section to the file given: console.lua [FILE] [MESSAGES] [ROUNDS].
local Section = dofile("bench/section.lua")
local core = require "fogcloud.sandbox.core"
local support = require "spec.support.sandbox"

local MESSAGES, ROUNDS, STARTS = tonumber(arg[2]) or 200000, tonumber(arg[3]) or 5, 10

local PAYLOAD = '{"power":"on","level":12345,"padding":"xxxxxxxxxxxx"}'

local section = Section("The sandbox's console")

local function shell(command, ...)
  local said, code = support.shell(command:format(...))
  assert(code == 0, said)
  return said
end

local folder = shell("mktemp -d"):match("%S+")

-- Seconds from the start of a sandbox until all of it serves.
local function ready_times()
  local times = {}
  for i = 1, STARTS do
    local began = core.now()
    local sandbox = support.start()
    times[i] = core.now() - began
    sandbox:stop()
  end
  return times
end

local PAGE = [[
const { chromium } = require('playwright-core')
const args = `--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
  --disable-component-update --disable-sync`.split(/\s+/)
chromium.launch({ executablePath: '/usr/bin/chromium', args }).then(async browser => {
  const page = await browser.newPage()
  await page.goto(process.argv[2] + '&panel=messages')
  await page.locator('main h1').waitFor()
  console.log('open')
  process.stdin.resume().on('end', () => browser.close().then(() => process.exit()))
})
]]

-- Opens the console's messages in a browser; gives what closes it.
local function open_console(sandbox)
  local file = assert(io.open(folder .. "/page.cjs", "w"))
  file:write(PAGE)
  file:close()
  local command = "NODE_PATH=build/npm/node_modules node %s/page.cjs '%s' >%s/said 2>&1"
  local pipe = io.popen(command:format(folder, sandbox.console, folder), "w")
  shell("for i in $(seq 200); do grep -q open %s/said && exit 0; sleep 0.1; done; cat %s/said; exit 1", folder, folder)
  shell "sleep 2" -- a browser that has just been started is busy with itself
  return function() pipe:close() end
end

local CLIENT = "-h 127.0.0.1 -p %d -i '%s' -u %s -P '%s'"

-- Messages a second from one of mosquitto's clients through the broker to another.
local function rate(sandbox, client, qos)
  local count = qos == 0 and MESSAGES or math.floor(MESSAGES / 4)
  local login = CLIENT:format(sandbox.mqtt_port, client.clientid, client.loginname, client.password)
  local device = CLIENT:format(sandbox.mqtt_port, "bench", "dev1", "dev1-secret")
  local before = sandbox:timeline()
  local last = #before > 0 and before[#before].id or 0
  local receive = "(mosquitto_sub %s -q %d -t 'd2c/#' -C %d >/dev/null; date +%%s.%%N >%s/end) >/dev/null 2>&1 &"
  shell(receive, login, qos, count, folder)
  repeat
    local subscribed = false
    for _, entry in ipairs(sandbox:timeline(last)) do subscribed = subscribed or entry.kind == "subscribe" end
  until subscribed
  local send = "rm -f %s/end; date +%%s.%%N >%s/begin; mosquitto_pub %s -q %d -t d2c/dev1/status --repeat %d -m '%s'"
  shell(send, folder, folder, device, qos, count, PAYLOAD)
  shell("for i in $(seq 1200); do [ -s %s/end ] && exit 0; sleep 0.05; done; exit 1", folder)
  local function moment(name) return tonumber((shell("cat %s/%s", folder, name))) end
  return count / (moment "end" - moment "begin")
end

shell "scripts/npm.sh"
local times = ready_times()
local READY = "Ready: from the call of `fogcloud.sandbox.start` until HTTP, store and broker serve; %d starts."
section:text(READY:format(STARTS))
section:columns("a sandbox is ready after", "ms")
table.sort(times)
section:row("median", ("%.0f"):format(times[math.ceil(#times / 2)] * 1e3))
section:row("slowest", ("%.0f"):format(times[#times] * 1e3))

local sandbox = support.start()
local client = support.client(sandbox, support.cloud(sandbox), { "dev1" })
section:text(([[%d messages of 50 bytes with QoS 0, and a quarter as many with QoS 1, from `mosquitto_pub` to
`mosquitto_sub`, alternately without and with a console that is open in Chromium on the same machine; medians of %d.]])
  :format(MESSAGES, ROUNDS))
section:columns("messages a second", "without", "with a console", "ratio")
for qos = 0, 1 do
  local without, with = {}, {}
  for i = 1, ROUNDS do
    without[i] = rate(sandbox, client, qos)
    local close = open_console(sandbox)
    with[i] = rate(sandbox, client, qos)
    close()
  end
  table.sort(without)
  table.sort(with)
  local a, b = without[math.ceil(ROUNDS / 2)], with[math.ceil(ROUNDS / 2)]
  section:row("QoS " .. qos, ("%.0f"):format(a), ("%.0f"):format(b), ("%.2f"):format(b / a))
end
sandbox:stop()
shell("rm -rf %s", folder)
section:write(arg[1])
