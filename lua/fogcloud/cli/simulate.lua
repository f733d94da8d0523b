-- SPDX-License-Identifier: MIT

--- `fogcloud simulate SCENARIO`: many devices, each a session and a task of its own, as a Lua file says.
local core = require "fogcloud.core"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"

local command = { summary = "Simulate devices by a scenario, a Lua file." }

local STARTING = 20 -- devices that connect at once
local REPORT_EVERY = 1 -- seconds

function command.options(parser)
  parser:argument("scenario", "a Lua file; see docs/cli.md")
  parser:option("-N --devices", "how many", "10"):argname("N"):convert(tonumber)
  parser:option("-W --wait", "end after so many seconds"):argname("SECONDS"):convert(tonumber)
  parser:epilog("A scenario returns { run = function(device) ... end, credentials = function(i) ... end }. Without "
    .. "credentials the devices are made at the sandbox of FOGCLOUD_BASE_URL.")
end

local function load_scenario(path, context)
  local chunk, why = loadfile(path)
  if chunk == nil then context:usage(why) end
  local ok, scenario = pcall(chunk)
  if not ok then context:usage(tostring(scenario)) end
  if type(scenario) ~= "table" or type(scenario.run) ~= "function" then
    context:usage(path .. ": a table with a function 'run' expected")
  end
  return scenario
end

-- Devices of a sandbox, made for the occasion: simulated1, simulated2, ...
local function sandbox_credentials(count, context)
  local ok, sandbox = pcall(require("fogcloud.sandbox").attach)
  if not ok then
    context:usage("the scenario has no credentials(i), and no sandbox answers: "
      .. tostring(sandbox):gsub("^[^ ]-:%d+: ", ""))
  end
  local devices = {}
  for i = 1, count do devices[i] = { id = "simulated" .. i, password = "simulated" } end
  local account = sandbox.account
  sandbox:add { accounts = {
    { client_id = account.client_id, client_secret = account.client_secret, devices = devices },
  } }
  return function(i)
    return {
      clientid = "device-simulated" .. i, loginname = "simulated" .. i, password = "simulated",
      mqtthost = sandbox.mqtt_host, mqttport = sandbox.mqtt_port, sslport = sandbox.tls_port,
    }, { ca_pem = sandbox.ca }
  end
end

-- What a scenario's `run` gets.
local Device = {}
Device.__index = Device

--- Queues a value for the cloud, as JSON; see Device:send of the library, the other way round.
function Device:report(channel, value, options)
  local cjson = require "cjson"
  options = options or {}
  local payload = type(value) == "string" and value or cjson.encode(value)
  local id, err = self.session:publish(("d2c/%s/%s"):format(self.id, channel), payload,
    { qos = options.qos or 1, retained = options.retained, wait = true })
  if id then self.counts.reports = self.counts.reports + 1 end
  return id, err
end

--- Calls fn(value, channel) for each command; value is the payload where that is no JSON.
function Device:on_command(fn)
  local cjson = require "cjson"
  return self.session:subscribe(("c2d/%s/#"):format(self.id), 1, function(topic, payload)
    self.counts.commands = self.counts.commands + 1
    local ok, value = pcall(cjson.decode, payload)
    fn(ok and value or payload, topic:match("^c2d/[^/]*/(.*)$"))
  end)
end

local function live(i, scenario, credentials_of, counts, context)
  local credentials, options = credentials_of(i)
  local session, err = fogcloud.connect(credentials, options or { ca_file = os.getenv("FOGCLOUD_CA_FILE") })
  counts.starting = counts.starting - 1
  if session == nil then
    counts.failed, counts.err = counts.failed + 1, err
    return
  end
  counts.up = counts.up + 1
  session:on("disconnect", function() counts.up = counts.up - 1 end)
  session:on("connect", function() counts.up = counts.up + 1 end)
  local device = setmetatable({ id = credentials.loginname, index = i, session = session, counts = counts }, Device)
  local ok, why = require("fogcloud.protect").call(scenario.run, device)
  if not ok then
    counts.broken = counts.broken + 1
    if counts.broken == 1 then context.out:fail(("device %s: %s"):format(device.id, tostring(why))) end
  end
  session:flush(5)
  counts.sessions[#counts.sessions + 1] = session
end

local function start_all(args, context, scenario, counts)
  local credentials_of = scenario.credentials or sandbox_credentials(args.devices, context)
  local tasks = {}
  for i = 1, args.devices do
    while counts.starting >= STARTING do
      if not fogcloud.sleep(0.005) then return tasks end
    end
    counts.starting = counts.starting + 1
    tasks[i] = fogcloud.spawn(live, i, scenario, credentials_of, counts, context)
  end
  return tasks
end

local function state_of(counts)
  return ("%d up, %d failed, %d reports, %d commands"):format(counts.up, counts.failed, counts.reports, counts.commands)
end

function command.run(args, context)
  local scenario = load_scenario(args.scenario, context)
  local counts = { up = 0, failed = 0, broken = 0, reports = 0, commands = 0, starting = 0, sessions = {} }
  local began = core.now()
  local tasks = start_all(args, context, scenario, counts)
  local next_report = began + REPORT_EVERY
  while not (args.wait and core.now() - began >= args.wait) and #counts.sessions + counts.failed < args.devices do
    if not fogcloud.sleep(0.02) then break end
    if core.now() >= next_report then
      context.out:note(("%3.0f s  %s"):format(core.now() - began, state_of(counts)))
      next_report = next_report + REPORT_EVERY
    end
  end
  local said, up = state_of(counts), counts.up
  for _, task in ipairs(tasks) do task:cancel() end
  for _, session in ipairs(counts.sessions) do session:close() end
  context.out:record({ devices = args.devices, up = up, failed = counts.failed, broken = counts.broken,
    reports = counts.reports, commands = counts.commands, seconds = core.now() - began }, said)
  if counts.failed == args.devices then return context:failed(counts.err) end
  return counts.failed + counts.broken > 0 and exit.partial or exit.ok
end

return command
