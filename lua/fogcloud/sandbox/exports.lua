-- SPDX-License-Identifier: MIT

--- What a program is told of a sandbox by variables: on standard output, in a file, or in its environment.
local core = require "fogcloud.sandbox.core"

local exports = {}

-- By name, in the order in which they are printed: the field of what `control.announcement` gives.
local VARIABLES = {
  { "FOGCLOUD_BASE_URL", "url" }, { "FOGCLOUD_CLIENT_ID", "client_id" }, { "FOGCLOUD_CLIENT_SECRET", "client_secret" },
  { "FOGCLOUD_CA_FILE", "ca_file" }, { "FOGCLOUD_APP_ID", "app_id" }, { "FOGCLOUD_MQTT_HOST", "mqtt_host" },
  { "FOGCLOUD_MQTT_PORT", "mqtt_port" }, { "FOGCLOUD_MQTT_TLS_PORT", "tls_port" },
  { "FOGCLOUD_SANDBOX_PID", "pid" }, { "FOGCLOUD_SANDBOX_CONSOLE", "console" },
}

local function text_of(value) return type(value) == "number" and ("%.0f"):format(value) or value or "" end

--- "NAME=value" for each.
---@return string[]
function exports.list(info)
  local list = {}
  for i, pair in ipairs(VARIABLES) do list[i] = pair[1] .. "=" .. text_of(info[pair[2]]) end
  return list
end

-- As a shell takes it, whatever is in it; `plain`: as what reads .env files does, in quotes only where it has to be,
-- for Docker keeps them.
local function quoted(line, plain)
  local name, value = line:match("^(.-)=(.*)$")
  if plain and value:find("^[%w_./:@%%+,=#-]*$") and not value:find("#", 1, true) then return line end
  return ("%s='%s'"):format(name, (value:gsub("'", "'\\''")))
end

--- Lines for a shell to read.
---@param prefix string?  "export "
function exports.text(info, prefix)
  local lines = {}
  for i, line in ipairs(exports.list(info)) do lines[i] = (prefix or "") .. quoted(line, prefix == nil) .. "\n" end
  return table.concat(lines)
end

--- Writes them to a file, 0600, which is there at once with all of them.
---@return boolean? ok
---@return string? why
function exports.write(path, info)
  local new = ("%s.%d"):format(path, core.pid())
  os.remove(new)
  local before = core.umask(63) -- 077
  local file, why = io.open(new, "w")
  core.umask(before)
  if file == nil then return nil, why end
  local ok
  ok, why = file:write(exports.text(info))
  local closed, unclosed = file:close()
  if ok and closed then ok, why = os.rename(new, path) else ok, why = nil, why or unclosed end
  if not ok then os.remove(new) end
  return ok, why
end

return exports
