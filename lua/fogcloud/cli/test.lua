-- SPDX-License-Identifier: MIT

--- `fogcloud test HOST`: what a broker can do. What it says of itself when it takes a client in, and what it really
--- does with messages of a topic that nobody else has.
local broker = require "fogcloud.cli.broker"
local core = require "fogcloud.core"
local errors = require "fogcloud.errors"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local Report = require "fogcloud.cli.report"

local command = { summary = "Show what a broker can do: versions, QoS, retained messages, limits." }

local PATIENCE = 5 -- seconds for what must come back

function command.options(parser)
  parser:argument("name", "the broker"):args("?"):argname("HOST")
  broker.options(parser)
  parser:epilog("Exit code 1 when a check fails, or the broker cannot be reached. It publishes to fogcloud-test/…, and "
    .. "takes away what it leaves.")
end

-- Connects with one version of MQTT; tells whether it is taken.
local function connect(report, target, version, context)
  target.options.version = version
  local session, err = context:try(fogcloud.connect, target.credentials, target.options)
  context:go_on()
  report:add("MQTT " .. version, session and "ok" or "fail", session and "accepted" or errors.text(err),
    "fogcloud doctor looks at the network; --username, --cafile and --port say more of the broker")
  return session
end

local function said(value, unit) return value and ("%d%s"):format(value, unit or "") or nil end

local function yes(value) return value == 0 and "no" or "yes" end

-- What MQTT 5's CONNACK tells; the defaults are those of MQTT 5.0, 3.2.2.3.
local function limits(report, told)
  local function tell(name, value) report:add(name, "ok", value) end
  tell("maximum QoS", said(told.maximum_qos) or "2")
  tell("retained messages", yes(told.retain_available))
  tell("wildcards", yes(told.wildcard_subscription_available))
  tell("shared", yes(told.shared_subscription_available))
  tell("identifiers", yes(told.subscription_identifiers_available))
  tell("packet size", said(told.maximum_packet_size, " bytes at most") or "no limit told")
  tell("in flight", said(told.receive_maximum, " messages at most") or "65535 messages at most")
  tell("topic aliases", said(told.topic_alias_maximum) or "0")
  tell("keepalive", told.server_keep_alive and said(told.server_keep_alive, " s, the broker's own") or "as asked for")
end

-- Waits until done() is true.
local function wait_for(done)
  local deadline = core.now() + PATIENCE
  while not done() and core.now() < deadline do
    if not fogcloud.sleep(0.01) then return false end
  end
  return done()
end

-- One message to the topic and back.
local function there_and_back(report, session, topic, qos)
  local got
  local granted, err = session:subscribe(topic, qos, function() got = true end)
  local name = "QoS " .. qos
  if granted == nil then return report:add(name, "fail", errors.text(err), "the client may not subscribe there") end
  if granted < qos then return report:add(name, "warn", ("QoS %d is granted in its place"):format(granted)) end
  local id
  id, err = session:publish(topic, "there and back", { qos = qos })
  local came = id and wait_for(function() return got end)
  session:unsubscribe(topic)
  if came then return report:add(name, "ok", "there and back") end
  return report:add(name, "fail", err and errors.text(err) or "the message did not come back",
    "the client may not publish there, or the broker drops it")
end

local function retained(report, session, topic)
  local got
  session:publish(topic, "kept", { qos = 1, retained = true })
  session:flush(PATIENCE)
  session:subscribe(topic, 1, function(_, payload, message) got = got or payload == "kept" and message.retained end)
  local came = wait_for(function() return got ~= nil end)
  session:unsubscribe(topic)
  session:publish(topic, "", { qos = 1, retained = true })
  session:flush(PATIENCE)
  report:add("retaining", came and got and "ok" or "warn", came and got and "a message is kept, and taken away"
    or "a message is not kept", "the broker keeps no retained messages for this client")
end

local function shared(report, session, topic)
  local got
  local granted, err = session:subscribe("$share/fogcloud-test/" .. topic, 1, function() got = true end)
  if granted == nil then return report:add("sharing", "warn", errors.text(err), "each subscriber gets all") end
  session:publish(topic, "shared", { qos = 1 })
  local came = wait_for(function() return got end)
  session:unsubscribe("$share/fogcloud-test/" .. topic)
  report:add("sharing", came and "ok" or "warn", came and "a shared subscription works" or "no message came",
    "each subscriber gets all")
end

local function messages(report, session, id)
  for qos = 0, 2 do
    if not there_and_back(report, session, ("fogcloud-test/%s/%d"):format(id, qos), qos) then return end -- so the rest
  end
  retained(report, session, ("fogcloud-test/%s/retained"):format(id))
  shared(report, session, ("fogcloud-test/%s/shared"):format(id))
end

function command.run(args, context)
  if args.name and (args.host or args.url) then context:usage("one broker: HOST, --host or --url") end
  args.host = args.name or args.host
  local credentials, options = broker.target(args, context)
  options.timeout, options.connect_timeout, options.max_attempts = args.timeout or 10, args.timeout or 10, 1
  local target, report = { credentials = credentials, options = options }, Report.new(context)
  local best
  for _, version in ipairs { "3.1.1", "5.0" } do
    local session = connect(report, target, version, context)
    if session then
      if best then best:close() end
      best = session
    end
  end
  if best then
    if best.connack then limits(report, best.connack) end
    messages(report, best, credentials.clientid)
    best:finish(options.timeout)
  end
  context.out:note(("%d ok, %d to look at, %d wrong"):format(report.ok, report.warn, report.fail))
  return (best == nil or report.fail > 0) and exit.failure or exit.ok
end

return command
