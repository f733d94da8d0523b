-- SPDX-License-Identifier: MIT

--- What `cloud:stats()`, `session:stats()` and `fleet:stats()` tell as text for Prometheus (text exposition format
--- 0.0.4). Pure.
--
--     metrics.text { clouds = { main = cloud:stats() }, sessions = { [credentials.clientid] = session:stats() } }
local json = require "fogcloud.json"
local errors = require "fogcloud.errors"

local metrics = {}

---@class (exact) fogcloud.MetricsSources
---@field clouds table<string, fogcloud.CloudStats>?      stats by a name of yours, which becomes the label `cloud`
---@field sessions table<string, fogcloud.SessionStats>?  stats by a name of yours, which becomes the label `session`
---@field fleets table<string, fogcloud.FleetStats>?      stats by a name of yours, which becomes the label `fleet`;
---                                                       each slot has the label `slot` besides

-- A metric: its source's list, name, type and help, then the field, or a function (stats, emit) that calls
-- emit(value, labels, suffix) for each sample.
local function of_kinds(stats, emit)
  for kind, count in pairs(stats.kinds) do emit(count, { kind = kind }) end
end

local function endpoint_failures(stats, emit)
  for name, endpoint in pairs(stats.endpoints) do emit(endpoint.failures, { endpoint = name }) end
end

local function durations(stats, emit)
  for name, endpoint in pairs(stats.endpoints) do
    emit(endpoint.seconds, { endpoint = name }, "_sum")
    emit(endpoint.calls, { endpoint = name }, "_count")
  end
end

-- A figure of each slot that is held.
local function of_slots(field)
  return function(stats, emit)
    for _, slot in ipairs(stats.held) do
      local value = slot[field]
      if type(value) == "boolean" then value = value and 1 or 0 end
      emit(value, { slot = ("%.0f"):format(slot.slot) })
    end
  end
end

-- The same of its session.
local function of_slot_sessions(field)
  return function(stats, emit)
    for _, slot in ipairs(stats.held) do
      if slot.session then emit(slot.session[field], { slot = ("%.0f"):format(slot.slot) }) end
    end
  end
end

local function connected(stats, emit)
  if stats.connected ~= nil then emit(stats.connected and 1 or 0, {}) end
end

local METRICS = {
  { "clouds", "fogcloud_calls_total", "counter", "Calls of the API that were begun.", "calls" },
  { "clouds", "fogcloud_attempts_total", "counter", "HTTP requests made for them.", "attempts" },
  { "clouds", "fogcloud_repeats_total", "counter", "Attempts repeated after a wait.", "repeats" },
  { "clouds", "fogcloud_failures_total", "counter", "Calls that failed, by kind of error.", of_kinds },
  { "clouds", "fogcloud_endpoint_failures_total", "counter", "By endpoint.", endpoint_failures },
  { "clouds", "fogcloud_call_seconds", "summary", "From a call to its end, with attempts and waits.", durations },
  { "clouds", "fogcloud_retry_budget", "gauge", "Repetitions that are left.", "budget" },
  { "clouds", "fogcloud_token_fetches_total", "counter", "Tokens fetched or tried to.", "token_fetches" },
  { "clouds", "fogcloud_token_failures_total", "counter", "Fetches that failed.", "token_failures" },
  { "clouds", "fogcloud_token_renewals_total", "counter", "Fetches ahead of expiry.", "token_renewals" },
  { "clouds", "fogcloud_token_refusals_total", "counter", "Tokens that the cloud refused.", "token_refusals" },
  { "clouds", "fogcloud_token_age_seconds", "gauge", "Since the token in hand was fetched.", "token_age" },
  { "clouds", "fogcloud_token_left_seconds", "gauge", "Until it expires.", "token_left" },
  { "sessions", "fogcloud_connected", "gauge", "Whether the session is connected.", connected },
  { "sessions", "fogcloud_published_total", "counter", "Messages accepted for publishing.", "accepted" },
  { "sessions", "fogcloud_acknowledged_total", "counter", "Messages that reached the broker.", "acknowledged" },
  { "sessions", "fogcloud_failed_total", "counter", "Messages that were lost with a link or refused.", "failed" },
  { "sessions", "fogcloud_dropped_total", "counter", "Messages dropped when the session closed.", "dropped" },
  { "sessions", "fogcloud_queued", "gauge", "Messages waiting to be acknowledged.", "queued" },
  { "sessions", "fogcloud_queued_bytes", "gauge", "Bytes of them.", "queued_bytes" },
  { "sessions", "fogcloud_in_flight", "gauge", "Messages sent and not acknowledged yet.", "in_flight" },
  { "sessions", "fogcloud_received_total", "counter", "Messages received.", "received" },
  { "sessions", "fogcloud_received_dropped_total", "counter", "QoS 0 messages dropped unheard.", "received_dropped" },
  { "sessions", "fogcloud_inbox", "gauge", "Messages received and not handled yet.", "inbox" },
  { "sessions", "fogcloud_inbox_bytes", "gauge", "Bytes of them.", "inbox_bytes" },
  { "sessions", "fogcloud_connects_total", "counter", "Links that came up.", "connects" },
  { "sessions", "fogcloud_handler_errors_total", "counter", "Handlers that threw.", "handler_errors" },
  { "fleets", "fogcloud_fleet_slots", "gauge", "Slots of the fleet.", "slots" },
  { "fleets", "fogcloud_fleet_members", "gauge", "Workers that are there.", "members" },
  { "fleets", "fogcloud_fleet_target", "gauge", "Slots that this worker should have.", "target" },
  { "fleets", "fogcloud_fleet_devices", "gauge", "Devices of the fleet.", "devices" },
  { "fleets", "fogcloud_fleet_taken_total", "counter", "Slots that this worker took.", "taken" },
  { "fleets", "fogcloud_fleet_handed_over_total", "counter", "Slots that it gave up in order.", "handed_over" },
  { "fleets", "fogcloud_fleet_lost_total", "counter", "Slots whose lease it could not renew.", "lost" },
  { "fleets", "fogcloud_fleet_failed_total", "counter", "Slots whose session failed.", "failed" },
  { "fleets", "fogcloud_slot_up", "gauge", "Whether the slot's session is connected.", of_slots "up" },
  { "fleets", "fogcloud_slot_fence", "gauge", "The number of the slot's holder.", of_slots "fence" },
  { "fleets", "fogcloud_slot_devices", "gauge", "Devices of the slot.", of_slots "devices" },
  { "fleets", "fogcloud_slot_granted", "gauge", "Devices that its client may have.", of_slots "granted" },
  { "fleets", "fogcloud_slot_received_total", "counter", "Messages received.", of_slot_sessions "received" },
  { "fleets", "fogcloud_slot_inbox", "gauge", "Messages received and not handled.", of_slot_sessions "inbox" },
  { "fleets", "fogcloud_slot_queued", "gauge", "Messages not acknowledged yet.", of_slot_sessions "queued" },
}

local ESCAPES = { ["\\"] = "\\\\", ["\n"] = "\\n", ['"'] = '\\"' }

local function label_text(labels)
  local parts = {}
  for name, value in pairs(labels) do
    parts[#parts + 1] = ('%s="%s"'):format(name, (errors.text(value):gsub('[\\\n"]', ESCAPES)))
  end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

-- Counts without exponent or fraction up to 2^53, whatever Lua's number is.
local function number_text(value)
  return value % 1 == 0 and ("%.0f"):format(value) or ("%.17g"):format(value)
end

-- The samples of one metric from all sources, in a fixed order, for a diff and a scraper's eyes. `common`: labels that
-- all of them have.
local function add_samples(list, metric, sources, label, common)
  local name, what = metric[2], metric[5]
  for source, stats in pairs(sources) do
    local function emit(value, labels, suffix)
      if value == nil then return end
      labels[label] = source
      for other, text in pairs(common) do labels[other] = text end
      list[#list + 1] = ("%s%s%s %s"):format(name, suffix or "", label_text(labels), number_text(value))
    end
    if type(what) == "function" then
      what(stats, emit)
    else
      emit(stats[what], {})
    end
  end
end

local LABELS = { clouds = "cloud", sessions = "session", fleets = "fleet" }

-- Whether it can be the result of a call of `stats`, and not the cloud or the session itself.
local function is_stats(source, value)
  if type(value) ~= "table" or getmetatable(value) ~= nil then return false end
  if source == "fleets" then return type(value.held) == "table" end
  return source == "sessions" or type(value.kinds) == "table" and type(value.endpoints) == "table"
end

local function check(sources)
  if type(sources) ~= "table" then error("sources: table expected, got " .. type(sources), 3) end
  for source, list in pairs(sources) do
    if LABELS[source] == nil then error(("unknown source '%s'"):format(errors.text(source)), 3) end
    if type(list) ~= "table" then error(("source '%s': table expected, got %s"):format(source, type(list)), 3) end
    for name, value in pairs(list) do
      if not is_stats(source, value) then
        error(("source '%s': '%s' is no result of stats()"):format(source, errors.text(name)), 3)
      end
    end
  end
end

-- `parts`: a list of { sources, labels }.
local function text_of(parts)
  local lines = {}
  for _, metric in ipairs(METRICS) do
    local list = {}
    for _, part in ipairs(parts) do add_samples(list, metric, part[1][metric[1]] or {}, LABELS[metric[1]], part[2]) end
    table.sort(list)
    if #list > 0 then
      lines[#lines + 1] = ("# HELP %s %s"):format(metric[2], metric[4])
      lines[#lines + 1] = ("# TYPE %s %s"):format(metric[2], metric[3])
      for _, line in ipairs(list) do lines[#lines + 1] = line end
    end
  end
  return #lines > 0 and table.concat(lines, "\n") .. "\n" or ""
end

--- The text that a scrape of `/metrics` gets, as `text/plain; version=0.0.4`. A metric without samples is left out.
---@param sources fogcloud.MetricsSources
---@return string text  ends in a newline, empty when there is no sample
function metrics.text(sources)
  check(sources)
  return text_of { { sources, {} } }
end

-- All workers of one nginx ------------------------------------------------------------------------------------------

local KEPT = 30 -- seconds: several times as long as it takes the next figures to come

local function key_of(worker) return ("metrics %.0f"):format(worker) end

--- Keeps a worker's figures in a dictionary that all workers share, for `metrics.shared` and `metrics.health`; called
--- again and again, every 5 seconds for example. In OpenResty.
---@param dict table                       ngx.shared.NAME
---@param worker integer                   ngx.worker.id()
---@param sources fogcloud.MetricsSources
---@param healthy boolean?                 default: every session of `sources` is connected
---@return boolean? ok
---@return string? why  the dictionary has no room
function metrics.keep(dict, worker, sources, healthy)
  check(sources)
  if healthy == nil then
    healthy = true
    for _, stats in pairs(sources.sessions or {}) do healthy = healthy and stats.connected ~= false end
  end
  return dict:safe_set(key_of(worker), json.encode { healthy = healthy, sources = sources }, KEPT)
end

local function kept(dict, worker)
  local text = dict:get(key_of(worker))
  local ok, record = pcall(json.decode, text or "")
  return ok and type(record) == "table" and record or nil
end

--- The figures that all workers have kept, as text for a scrape; each sample has the label `worker`.
---@param dict table
---@param workers integer  ngx.worker.count()
---@return string text
function metrics.shared(dict, workers)
  local parts = {}
  for worker = 0, workers - 1 do
    local record = kept(dict, worker)
    if record then parts[#parts + 1] = { record.sources, { worker = ("%.0f"):format(worker) } } end
  end
  return text_of(parts)
end

--- Whether all workers are well: each has kept figures of late, and said that it is.
---@param dict table
---@param workers integer  ngx.worker.count()
---@return boolean healthy
---@return table<string, string> states  by the worker's number: "ok", "down", or "silent"
function metrics.health(dict, workers)
  local healthy, states = true, {}
  for worker = 0, workers - 1 do
    local record = kept(dict, worker)
    local state = record == nil and "silent" or record.healthy and "ok" or "down"
    healthy = healthy and state == "ok"
    states[("%.0f"):format(worker)] = state
  end
  return healthy, states
end

return metrics
