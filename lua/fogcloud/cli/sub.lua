-- SPDX-License-Identifier: MIT

--- `fogcloud sub`: prints what is published; with the options of mosquitto_sub.
local broker = require "fogcloud.cli.broker"
local core = require "fogcloud.core"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local format = require "fogcloud.cli.format"
local sessions = require "fogcloud.cli.session"
local number = require "fogcloud.cli.number"
local Router = require "fogcloud.mqtt.router"
local topics = require "fogcloud.cli.topics"

local command = { summary = "Print the messages of topics or of a device." }

local TURN = 0.02 -- seconds between two looks whether it is over
local TIMED_OUT = 27 -- what mosquitto_sub ends with after -W

local function which_messages(parser)
  local options = {
    parser:option("-C --count", "end after so many messages"):argname("N"):convert(number.count("--count", 1, 1e9)),
    parser:option("-W --wait", "end after so many seconds"):argname("SECONDS"):convert(number.seconds("--wait")),
    parser:flag("-E --exit-after-subscribing", "end when the broker has taken the subscriptions"),
    parser:option("-T --filter-out", "not the messages of these topics"):argname("TOPIC"):count("*"):args(1),
    parser:option("-U --unsubscribe", "take away a subscription of a session that is kept"):argname("TOPIC"):count("*")
      :args(1),
    parser:flag("-R --no-retained", "not what was retained before"),
    parser:flag("--retained-only", "only what was retained before; ends at the first that was not"),
    parser:flag("--retain-as-published", "say retained as the publisher did (MQTT 5)"),
    parser:flag("--remove-retained", "take away at the broker what is retained"),
    parser:option("--random-filter", "print so many of a hundred messages, chosen by chance"):argname("PERCENT")
      :convert(number.percent("--random-filter")),
  }
  parser:group("Which messages", (table.unpack or unpack)(options))
end

function command.options(parser)
  parser:argument("topic", "topic filters; with --device its channels, default all"):args("*")
  local options = {
    parser:option("-t --topic", "another topic filter"):argname("TOPIC"):target("topics"):count("*"):args(1),
    parser:option("--device", "what this device sends: d2c/DEVICE/…"):argname("DEVICE"),
    sessions.qos_option(parser),
    parser:option("-F --format", format.HELP):argname("FORMAT"),
    parser:flag("-v --verbose", "the topic before the payload"),
    parser:flag("--pretty", "lines for the JSON of %j and %J"),
    parser:flag("-N --no-newline", "no line end after a payload"),
  }
  parser:group("What to print", (table.unpack or unpack)(options))
  which_messages(parser)
  sessions.options(parser)
  broker.options(parser)
  broker.session_options(parser)
  parser:epilog("Exit code 1 when it ended before --count messages had come; at a broker that you name, 27.")
end

local function filters_of(args, context)
  local device = args.device and topics.check(args.device, context)
  local filters = {}
  for _, given in ipairs { args.topic, args.topics or {} } do
    for _, topic in ipairs(given) do filters[#filters + 1] = device and topics.from(device, topic) or topic end
  end
  if #filters == 0 and device then filters[1] = topics.from(device, "#") end
  if #filters == 0 and #args.unsubscribe == 0 and not args.url then
    context:usage("no topic: give some, or --device DEVICE")
  end
  return filters
end

local function printer_of(args, context)
  local print_it, why = format.compile(args.format or args.verbose and "%t %p" or "%p", args.pretty)
  if print_it == nil then context:usage("--format: " .. why) end
  return print_it
end

-- A router of filters that are only compared with.
local function matcher(filters, context)
  local router = Router.new()
  for i, filter in ipairs(filters) do context:try(router.add, router, filter, i) end
  return function(topic) return router:match(topic)[1] end
end

-- Whether a message, or this copy of it, came for filter number i; what it says of that was ours, and is taken out.
local function is_for(i, message)
  local properties = message.properties or {}
  local ids = properties.subscription_identifier
  if ids == nil then return true end
  properties.subscription_identifier = nil
  if next(properties) == nil then message.properties = nil end
  for _, id in ipairs(type(ids) == "table" and ids or { ids }) do
    if id == i then return true end
  end
  return false
end

-- What a filter is subscribed with. With MQTT 5 a broker may send a copy for each filter that matches: its number tells
-- them apart.
local function subscribe_options(i, count, session, args, target)
  if target.options.version ~= "5.0" then return nil end
  local properties = {}
  for name, value in pairs(target.said.subscribe or {}) do properties[name] = value end
  local numbered = count > 1 and (session.connack or {}).subscription_identifiers_available ~= 0
  properties.subscription_identifier = numbered and i or nil
  return {
    retain_as_published = args.retain_as_published, properties = next(properties) and properties or nil,
  }
end

-- The library calls the handler of each filter that matches, and a message is to be printed once: for the first.
local function subscribe(session, filters, args, target, handler, context)
  local match = matcher(filters, context)
  if args.retain_as_published and target.options.version ~= "5.0" then
    context:usage("--retain-as-published needs MQTT 5, which this broker does not have")
  end
  for i, filter in ipairs(filters) do
    local function first(topic, payload, message)
      if match(topic) == i and is_for(i, message) then handler(topic, payload, message) end
    end
    local options = subscribe_options(i, #filters, session, args, target)
    local granted, err = context:try(session.subscribe, session, filter, tonumber(args.qos), first, options)
    if granted == nil then return nil, err end
  end
  for _, filter in ipairs(args.unsubscribe) do
    local ok, err = context:try(session.unsubscribe, session, filter)
    if not ok then return nil, err end
  end
  if target.options.paused then session:resume() end
  return true
end

local function serve(session, args, state)
  local deadline = args.wait and core.now() + args.wait
  while not state.over and not (args.count and state.count >= args.count) do
    if session.ended then return session.ended end
    if deadline and core.now() >= deadline then
      state.timed_out = true
      return nil
    end
    if not fogcloud.sleep(TURN) then return nil end
  end
end

-- Whether a message is to be printed.
local function wanted(args, state, filtered_out, topic, message)
  if args.count and state.count >= args.count or state.over or args.exit_after_subscribing then return false end
  if args.retained_only and not message.retained then
    state.over = true
    return false
  end
  return not filtered_out(topic) and not (args.no_retained and message.retained)
end

local function handler_of(args, context, state, session)
  local print_it, filtered_out = printer_of(args, context), matcher(args.filter_out, context)
  return function(topic, payload, message)
    if args.remove_retained and message.retained and not filtered_out(topic) then
      session():publish(topic, "", { retained = true, qos = 1 })
    end
    if not wanted(args, state, filtered_out, topic, message) then return end
    state.count = state.count + 1
    if args.random_filter and math.random() * 100 > args.random_filter then return end
    local one = format.message(topic, payload, message)
    local text, why = print_it(one, context.out)
    if text == nil then return context.out:fail(why) end
    context.out:message(format.object(one), text, args.no_newline)
  end
end

local function code_of(args, state, target)
  if target.broker and state.timed_out then return TIMED_OUT end
  return args.count and state.count < args.count and exit.failure or exit.ok
end

function command.run(args, context)
  args.host_options = true
  local session, state = nil, { count = 0 }
  if args.random_filter then math.randomseed(math.floor(core.now() * 1e6 % 2 ^ 31)) end -- 5.3 and older begin alike
  local filters = filters_of(args, context)
  local handler = handler_of(args, context, state, function() return session end)
  local err, target
  session, err, target = sessions.open(args, context, topics.devices(filters))
  if session == nil then return sessions.failed(context, err, target) end
  if #filters == 0 and target.topic then filters[1] = target.topic end
  local ok
  ok, err = subscribe(session, filters, args, target, handler, context)
  if ok and not args.exit_after_subscribing then
    context.out:note(("listening to %s; Ctrl-C ends"):format(table.concat(filters, ", ")))
    err = serve(session, args, state)
  end
  if args.remove_retained then sessions.finish(session, target, context:settings().timeout) end
  sessions.close(session, target)
  context.out:note((state.count == 1 and "%d message" or "%d messages"):format(state.count))
  if err and err.kind ~= "cancelled" then return context:failed(err) end
  return code_of(args, state, target)
end

return command
