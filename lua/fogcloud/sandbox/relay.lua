-- SPDX-License-Identifier: MIT

--- Faults on MQTT: the relay between the clients and the broker, and what may be asked of it.
local errors = require "fogcloud.errors"
local core = require "fogcloud.sandbox.core"

local Relay = {}
Relay.__index = Relay

--- The type of each rule's value, by name.
Relay.KINDS = {
  refuse = "boolean", half_open = "boolean", mid_packet = "boolean", connack = "number", cut_after = "number",
  cut_bytes = "number", delay_ms = "number", rate = "number", puback = "string",
  puback_delay_ms = "number", count = "number", probability = "number",
}
local LIMITS = { connack = 255, cut_after = 1e9, cut_bytes = 1e9, delay_ms = 3600000, rate = 1e9,
  puback_delay_ms = 3600000, count = 1e9 }
local PUBACKS = { pass = true, swallow = true, duplicate = true }

-- Whether a table holds rules only.
local function check(rules)
  for name, value in pairs(rules) do
    if Relay.KINDS[name] == nil then return nil, ("unknown field '%s'"):format(errors.text(name)) end
    if type(value) ~= Relay.KINDS[name] then return nil, ("field '%s' must be a %s"):format(name, Relay.KINDS[name]) end
    local limit = LIMITS[name]
    if limit and not (value >= 0 and value <= limit and value % 1 == 0) then
      return nil, ("field '%s' must be a whole number from 0 to %d"):format(name, limit)
    end
  end
  if rules.probability and not (rules.probability >= 0 and rules.probability <= 1) then
    return nil, "'probability' is from 0 to 1"
  end
  if rules.puback and not PUBACKS[rules.puback] then return nil, "'puback' is pass, swallow or duplicate" end
  return true
end

--- Listens at the public ports for a broker at its private plain one. It works on a thread of its own.
---@param address string
---@param broker table   its ports, and the certificate that clients are shown: cert, key, ca
---@param options table  mqtt_port, tls_port: the public ones, default free ones; rng_seed; client_certificates
---@return table? relay  its `ports` are the public ones
---@return string? why
function Relay.open(address, broker, options)
  local self = setmetatable({ relay = core.relay(options.rng_seed or os.time()), ports = {}, rules = {} }, Relay)
  if not self.relay:tls(broker.cert, broker.key, options.client_certificates and broker.ca or nil) then
    self:close()
    return nil, "the relay does not take the certificate"
  end
  for kind, wanted in pairs { plain = options.mqtt_port or 0, tls = options.tls_port or 0 } do
    local port = self.relay:listen(address, wanted, broker.ports.plain, kind == "tls")
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
  self.rules = rules
  return true
end

--- How many connections have met the rules of now.
function Relay:struck() return next(self.rules) and self.relay:struck() or 0 end

--- Closes a client's connections, all without a name; how many.
function Relay:kick(client_id) return self.relay:kick(client_id) end

function Relay:close() self.relay:close() end

return Relay
