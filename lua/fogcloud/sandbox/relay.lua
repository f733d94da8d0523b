-- SPDX-License-Identifier: MIT

--- Faults on MQTT: the relay between the clients and the broker, and what may be asked of it.
local core = require "fogcloud.sandbox.core"

local Relay = {}
Relay.__index = Relay

local RULES = {
  refuse = "boolean", half_open = "boolean", mid_packet = "boolean", connack = "number", cut_after = "number",
  cut_bytes = "number", delay_ms = "number", rate = "number", puback = "string",
}
local LIMITS = { connack = 255, cut_after = 1e9, cut_bytes = 1e9, delay_ms = 3600000, rate = 1e9 }
local PUBACKS = { pass = true, swallow = true, duplicate = true }

-- Whether a table holds rules only.
local function check(rules)
  for name, value in pairs(rules) do
    if RULES[name] == nil then return nil, ("unknown field '%s'"):format(tostring(name)) end
    if type(value) ~= RULES[name] then return nil, ("field '%s' must be a %s"):format(name, RULES[name]) end
    local limit = LIMITS[name]
    if limit and not (value >= 0 and value <= limit and value % 1 == 0) then
      return nil, ("field '%s' must be a whole number from 0 to %d"):format(name, limit)
    end
  end
  if rules.puback and not PUBACKS[rules.puback] then return nil, "'puback' is pass, swallow or duplicate" end
  return true
end

--- Listens at the public ports for a broker at its private ones. It works on a thread of its own.
---@param address string
---@param private table  plain, tls: the broker's ports
---@param options table  mqtt_port, tls_port: the public ones, default free ones
---@return table? relay  its `ports` are the public ones
---@return string? why
function Relay.open(address, private, options)
  local self = setmetatable({ relay = core.relay(), ports = {} }, Relay)
  for kind, wanted in pairs { plain = options.mqtt_port or 0, tls = options.tls_port or 0 } do
    local port = self.relay:listen(address, wanted, private[kind], kind == "plain")
    if port == nil then
      self:close()
      return nil, "the relay cannot listen at " .. address
    end
    self.ports[kind] = port
  end
  return self
end

--- Sets all rules at once, for open connections too; those left out spoil nothing.
---@return boolean? ok
---@return string? why
function Relay:bend(rules)
  local ok, why = check(rules)
  if not ok then return nil, why end
  self.relay:set(rules)
  return true
end

--- Closes a client's connections, all without a name; how many.
function Relay:kick(client_id) return self.relay:kick(client_id) end

function Relay:close() self.relay:close() end

return Relay
