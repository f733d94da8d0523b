-- SPDX-License-Identifier: MIT

--- `fogcloud simulate SCENARIO`: many devices, each a session and a task of its own, as a Lua file says.
local cjson = require "cjson"
local core = require "fogcloud.core"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local number = require "fogcloud.cli.number"
local errors = require "fogcloud.errors"
local protect = require "fogcloud.task.protect"
local topic_rules = require "fogcloud.mqtt.topic"
local topics = require "fogcloud.cli.topics"

local command = { summary = "Simulate devices by a scenario, a Lua file." }

local STARTING = 20 -- devices that connect at once
local REPORT_EVERY = 1 -- seconds
local LAST = 5 -- seconds for what is under way when it ends

function command.options(parser)
  parser:argument("scenario", "a Lua file; see docs/cli.md")
  parser:option("-N --devices", "how many", "10"):argname("N"):convert(number.count("--devices", 1, 100000))
  parser:option("-W --wait", "end after so many seconds"):argname("SECONDS"):convert(number.seconds("--wait"))
  parser:epilog("A scenario returns { run = function(device) ... end, credentials = function(i) ... end }. Without "
    .. "credentials the devices are made at the sandbox that --base-url, FOGCLOUD_BASE_URL or the profile names. Exit "
    .. "code 5 when some of the devices failed.")
end

local function first_line(err) return (errors.text(err):match("^[^\n]*"):gsub("^[^ ]-:%d+: ", "")) end

local function load_scenario(path, context)
  local chunk, why = loadfile(path)
  if chunk == nil then context:usage(why) end
  local ok, scenario = pcall(chunk)
  if not ok then context:usage(errors.text(scenario)) end
  if type(scenario) ~= "table" or type(scenario.run) ~= "function" then
    context:usage(path .. ": a table with a function 'run' expected")
  end
  return scenario
end

-- Devices of a sandbox, made for the occasion: simulated1, simulated2, ...
local function sandbox_credentials(count, context)
  local settings = context:settings()
  local ok, sandbox = pcall(function()
    return require("fogcloud.sandbox").attach(settings.base_url, settings.ca_file)
  end)
  if not ok then
    context:usage("the scenario has no credentials(i), and no sandbox answers: " .. first_line(sandbox))
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
  options = options or {}
  local payload = type(value) == "string" and value or cjson.encode(value)
  local id, err = self.session:publish(topics.from(self.id, channel), payload,
    { qos = options.qos or 1, retained = options.retained, wait = true })
  if id then self.counts.reports = self.counts.reports + 1 end
  return id, err
end

--- Calls fn(value, channel) for each command; value is the payload where that is no JSON.
function Device:on_command(fn)
  local all = topics.to(self.id, "#")
  return self.session:subscribe(all, 1, function(topic, payload)
    self.counts.commands = self.counts.commands + 1
    local ok, value = pcall(cjson.decode, payload)
    if not ok then value = payload end
    fn(value, topics.channel(topic, all))
  end)
end

-- The session of device `i` and its id; nil, err. Raises where the scenario is wrong.
local function connect(i, credentials_of, default)
  local credentials, options = credentials_of(i)
  local session, err = fogcloud.connect(credentials, options or default)
  if session == nil then return nil, err end
  local ok, why = topic_rules.valid_device_id(credentials.loginname)
  if ok then return session, credentials.loginname end
  session:close()
  error(("loginname '%s' is no device id: it %s"):format(credentials.loginname, why), 0)
end

-- One device, from its connecting to the end of its scenario. Whatever fails is its own failure.
local function live(i, job, context)
  local counts = job.counts
  local ok, session, id = protect.call(connect, i, job.credentials_of, job.default)
  counts.starting = counts.starting - 1
  if not ok or session == nil then
    counts.failed, counts.err = counts.failed + 1, ok and id or first_line(session)
    return
  end
  job.sessions[#job.sessions + 1] = session
  session:on("disconnect", function() counts.up = counts.up - 1 end)
  session:on("connect", function() counts.up = counts.up + 1 end) -- the first time, too
  local device = setmetatable({ id = id, index = i, session = session, counts = counts }, Device)
  local ran, why = protect.call(job.run, device)
  if not ran and not job.ending then
    counts.broken = counts.broken + 1
    if counts.broken == 1 then context.out:fail(("device %s: %s"):format(device.id, errors.text(why))) end
  end
  session:flush(LAST)
  counts.ended = counts.ended + 1
end

local function start_all(count, job, context)
  for i = 1, count do
    while job.counts.starting >= STARTING do
      if not fogcloud.sleep(0.005) then return end
    end
    job.counts.starting = job.counts.starting + 1
    job.tasks[i] = fogcloud.spawn(live, i, job, context)
  end
end

-- Ends the devices. What they have said is delivered before, unless the person does not want to wait.
local function finish(job)
  local deadline = core.now() + LAST
  job.ending = true
  for _, task in ipairs(job.tasks) do task:cancel() end
  for _, task in ipairs(job.tasks) do task:wait(math.max(0, deadline - core.now())) end
  local delivered = 0
  for _, session in ipairs(job.sessions) do
    session:finish(math.max(0, deadline - core.now()))
    session:close()
    delivered = delivered + session:stats().acknowledged
  end
  job.counts.reports = delivered
end

local function state_of(counts, up)
  return ("%d up, %d failed, %d reports, %d commands"):format(up, counts.failed, counts.reports, counts.commands)
end

function command.run(args, context)
  local scenario = load_scenario(args.scenario, context)
  local counts = { up = 0, failed = 0, broken = 0, reports = 0, commands = 0, starting = 0, ended = 0 }
  local job = {
    counts = counts, run = scenario.run, sessions = {}, tasks = {}, default = { ca_file = context:settings().ca_file },
    credentials_of = scenario.credentials or sandbox_credentials(args.devices, context),
  }
  local began = core.now()
  start_all(args.devices, job, context)
  local next_report = began + REPORT_EVERY
  while not (args.wait and core.now() - began >= args.wait) and counts.ended + counts.failed < args.devices do
    if not fogcloud.sleep(0.02) then break end
    if core.now() >= next_report then
      context.out:note(("%3.0f s  %s"):format(core.now() - began, state_of(counts, counts.up)))
      next_report = next_report + REPORT_EVERY
    end
  end
  local up = counts.up
  finish(job)
  context.out:record({ devices = args.devices, up = up, failed = counts.failed, broken = counts.broken,
    reports = counts.reports, commands = counts.commands, seconds = core.now() - began }, state_of(counts, up))
  if counts.failed == args.devices then return context:failed(counts.err) end
  return counts.failed + counts.broken > 0 and exit.partial or exit.ok
end

return command
