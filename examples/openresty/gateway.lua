-- SPDX-License-Identifier: MIT

--- An HTTP gateway to the devices of a FogCloud account.
--
--   POST /devices/:id/commands   publishes the body, JSON, to the device: 202, or 503 while there is no session
--   GET  /devices/:id/status     the last status that the device reported, as it came: 200, or 404
--   GET  /events                 server-sent events, `status` with {"device":…,"status":…}; first the last of each
--   GET  /metrics                the figures of all workers, for Prometheus
--   GET  /healthz                200 while every worker has its session, else 503, with what each says
--
-- Every worker has a session of its own, with a client id of its own that is kept by the worker's number: it publishes
-- what its requests ask for, and hears every device for its streams. After a reload, or the death of a worker, the new
-- one goes on with the client of its number. Only number 0 writes the states, so that none is ever put back, and only
-- it has the broker keep for it what comes while it is away. A stream begins with the states, which may be a little
-- ahead of what its own worker has heard: it then tells these last events once more, in their order.
local cjson = require "cjson.safe"
local fogcloud = require "fogcloud"
local metrics = require "fogcloud.metrics"

local gateway = {}

local HEARTBEAT = 15 -- seconds between signs of life on a stream, for proxies in between
local BEHIND = 1000 -- events that a slow reader may be behind before its stream is ended

local states = ngx.shared.states
local streams = {} -- of this worker: { queue =, semaphore = }
local leader

local function devices()
  local ids = {}
  for id in (os.getenv("GATEWAY_DEVICES") or ""):gmatch("[^%s,]+") do ids[#ids + 1] = id end
  return ids
end

local function reply(status, body)
  ngx.status = status
  ngx.say(cjson.encode(body))
end

-- Whether the request is made by one of these methods; it is answered where not.
local function allowed(...)
  local method = ngx.req.get_method()
  for _, name in ipairs { ... } do
    if method == name then return true end
  end
  ngx.header["Allow"] = table.concat({ ... }, ", ")
  reply(405, { error = table.concat({ ... }, " or ") .. " expected" })
  return false
end

-- Streams -------------------------------------------------------------------------------------------------------------

local function event(device, status)
  return ('event: status\ndata: {"device":%s,"status":%s}\n\n'):format(cjson.encode(device), status)
end

local function send_to_all(text)
  for stream in pairs(streams) do
    if #stream.queue < BEHIND then
      stream.queue[#stream.queue + 1] = text
    else
      stream.ended = true
    end
    if stream.semaphore:count() < 1 then stream.semaphore:post(1) end
  end
end

-- nginx calls its timers at once, as premature, when the worker is to end.
local function end_all(premature)
  if not premature then return end
  for stream in pairs(streams) do
    stream.ended = true
    stream.semaphore:post(1)
  end
end

local function write_states()
  for _, device in ipairs(states:get_keys(0)) do
    local status = states:get(device)
    if status then ngx.print(event(device, status)) end
  end
end

--- Streams until the reader goes or the worker ends.
local function stream_on(stream)
  repeat
    if #stream.queue > 0 then
      local text = table.concat(stream.queue)
      stream.queue = {}
      ngx.print(text)
    end
    if not ngx.flush(true) then return end
    local woken = stream.semaphore:wait(HEARTBEAT)
    if not woken then ngx.print(": still here\n\n") end
  until stream.ended and #stream.queue == 0
end

function gateway.events()
  if not allowed("GET") then return end
  ngx.header["Content-Type"] = "text/event-stream"
  ngx.header["Cache-Control"] = "no-store"
  local stream = { queue = {}, semaphore = require("ngx.semaphore").new(0) }
  streams[stream] = true
  ngx.on_abort(function()
    streams[stream] = nil
    ngx.exit(499)
  end)
  ngx.print(": the reader is welcome\n\n") -- the headers go now, though nothing may have happened yet
  write_states()
  stream_on(stream)
  streams[stream] = nil
end

-- Devices -------------------------------------------------------------------------------------------------------------

function gateway.status(device)
  if not allowed("GET", "HEAD") then return end
  local status = states:get(device)
  if status == nil then return reply(404, { error = "nothing is known of this device" }) end
  ngx.say(status)
end

-- The value that the body stands for; nil where it is no JSON, or (1e999) none that could be sent on.
local function body_value()
  ngx.req.read_body()
  local value = cjson.decode(ngx.req.get_body_data() or "")
  return cjson.encode(value) and value
end

function gateway.command(device)
  if not allowed("POST") then return end
  local value = body_value()
  if value == nil then return reply(400, { error = "a JSON body expected" }) end
  local session, err = leader:await(5)
  local id
  if session then
    local valid, found = pcall(session.device, session, device) -- raises where no device can have this id
    if not valid then return reply(400, { error = "no device can have this id" }) end
    id, err = found:send("commands", value)
  end
  if id == nil then
    ngx.header["Retry-After"] = "1"
    return reply(503, { error = tostring(err) })
  end
  reply(202, { id = id })
end

-- Health and figures --------------------------------------------------------------------------------------------------

local FIGURES = 2 -- seconds between two times that a worker keeps its figures, which any worker then shows

local cloud

local function keep_figures()
  local session, name = leader.session, ("worker %d"):format(ngx.worker.id())
  local up = session ~= nil and session:connected()
  local ok, why = metrics.keep(ngx.shared.fogcloud, ngx.worker.id(), {
    clouds = cloud and { [name] = cloud:stats() } or {}, sessions = session and { [name] = session:stats() } or {},
  }, up)
  if not ok then ngx.log(ngx.ERR, "the figures are not kept: ", why) end
end

function gateway.metrics()
  if not allowed("GET", "HEAD") then return end
  keep_figures() -- at least our own are fresh
  ngx.header["Content-Type"] = "text/plain; version=0.0.4"
  ngx.print(metrics.shared(ngx.shared.fogcloud, ngx.worker.count()))
end

function gateway.health()
  if not allowed("GET", "HEAD") then return end
  keep_figures()
  local healthy, workers = metrics.health(ngx.shared.fogcloud, ngx.worker.count())
  reply(healthy and 200 or 503, { healthy = healthy, workers = workers })
end

-- The session ---------------------------------------------------------------------------------------------------------

local function on_status(first)
  return function(topic, payload)
    local device = topic:match("^d2c/([^/]+)/")
    if cjson.decode(payload) == nil then return end
    local line = payload:gsub("[\r\n]+", " ") -- in JSON these are blanks
    if first then states:set(device, line) end
    send_to_all(event(device, line))
  end
end

local function connect()
  local first = ngx.worker.id() == 0
  cloud = cloud or assert(fogcloud.new { store = "shdict:fogcloud" })
  local session, err = cloud:open {
    devices = devices(), keep = ("worker %d"):format(ngx.worker.id()),
    session = { clean = not first, paused = true },
  }
  if session == nil then return nil, err end
  session:on("error", function(why) ngx.log(ngx.WARN, tostring(why)) end)
  local granted
  granted, err = session:subscribe("d2c/+/status", 1, on_status(first))
  return granted and session, err
end

--- In init_worker_by_lua*.
function gateway.start()
  leader = fogcloud.lead("gateway " .. ngx.worker.id(), connect, "shdict:fogcloud")
  assert(ngx.timer.every(3600, end_all))
  assert(ngx.timer.every(FIGURES, keep_figures))
end

return gateway
