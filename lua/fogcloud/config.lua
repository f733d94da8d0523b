-- SPDX-License-Identifier: MIT

--- What `fogcloud.new` takes: options, then FOGCLOUD_* variables, then a profile file; checked in one place.
local cjson = require "cjson"

local config = {}

---@class (exact) fogcloud.Options
---@field base_url string?              where the API is; https, or http to a loopback address
---@field client_id string?             Access Key ID
---@field client_secret string?         Access Key Secret
---@field ca_file string?               PEM file of the authorities to trust instead of the system's
---@field ca_pem string?                the same as text
---@field encoding "form"|"json"|nil    default "form"
---@field timeout number?               seconds for a call with all its attempts, default 30
---@field connect_timeout number?       seconds for one connection, default 10
---@field max_body number?              bytes of a reply at most, default 4 MiB
---@field proxy string?                 URL of an HTTP proxy; without it none is used, whatever the environment says
---@field allow_insecure_http boolean?  lets http:// go to other hosts than this one
---@field request_id boolean?           send X-Request-Id with every request
---@field profile string?               the profile's name, default "default"
---@field session table?                defaults of session options

local SPEC = {
  base_url = "string", client_id = "string", client_secret = "string", ca_file = "string", ca_pem = "string",
  encoding = "string", timeout = "number", connect_timeout = "number", max_body = "number", proxy = "string",
  allow_insecure_http = "boolean", request_id = "boolean", profile = "string", session = "table", store = "table",
}

local VARIABLES = {
  base_url = "FOGCLOUD_BASE_URL", client_id = "FOGCLOUD_CLIENT_ID", client_secret = "FOGCLOUD_CLIENT_SECRET",
  ca_file = "FOGCLOUD_CA_FILE", profile = "FOGCLOUD_PROFILE",
}

local DEFAULTS = { encoding = "form", timeout = 30, connect_timeout = 10, max_body = 4 * 1024 * 1024 }

local function check_types(given, level)
  for name, value in pairs(given) do
    local expected = SPEC[name]
    if expected == nil then error(("unknown option '%s'"):format(tostring(name)), level) end
    if type(value) ~= expected then
      error(("option '%s': %s expected, got %s"):format(name, expected, type(value)), level)
    end
    if expected == "string" and name ~= "ca_pem" and (value == "" or value:find("%c") or value:find("%z")) then
      error(("option '%s' is empty or holds a control character"):format(name), level)
    end
  end
end

local LOOPBACK = { ["localhost"] = true, ["[::1]"] = true }

local function is_loopback(host) return LOOPBACK[host] or host:find("^127%.%d+%.%d+%.%d+$") ~= nil end

--- Raises unless the URL is one the token may be sent to.
local function check_url(options, level)
  local scheme, authority, rest = options.base_url:match("^(%a+)://([^/?#]+)(.*)$")
  if scheme == nil then error("option 'base_url': a URL like https://host expected", level) end
  if scheme ~= "https" and scheme ~= "http" then error("option 'base_url': https:// expected", level) end
  if authority:find("@", 1, true) then error("option 'base_url' may hold no user name or password", level) end
  if rest:find("[?#]") then error("option 'base_url' may hold no query or fragment", level) end
  local host = authority:gsub(":%d+$", "")
  if scheme == "http" and not is_loopback(host) and not options.allow_insecure_http then
    error(("option 'base_url': http:// to '%s' would show the secret to the network; use https://, or say "
      .. "allow_insecure_http = true"):format(host), level)
  end
end

--- Where profiles are kept.
function config.profile_path(getenv)
  local home = getenv("XDG_CONFIG_HOME")
  if home == nil or home == "" then home = (getenv("HOME") or "") .. "/.config" end
  return home .. "/fogcloud/profiles.json"
end

local function read_profile(name, getenv)
  local file = io.open(config.profile_path(getenv), "r")
  if file == nil then return {} end
  local text = file:read("*a")
  file:close()
  local ok, profiles = pcall(cjson.decode, text)
  if not ok or type(profiles) ~= "table" then return {} end
  local profile = profiles[name]
  return type(profile) == "table" and profile or {}
end

local function from_environment(getenv)
  local found = {}
  for name, variable in pairs(VARIABLES) do
    local value = getenv(variable)
    if value ~= nil and value ~= "" then found[name] = value end
  end
  return found
end

--- The options in force. Wrong ones raise at the caller of the caller; missing ones too, with where they may come from.
---@param given fogcloud.Options?
---@param level integer?
---@param getenv fun(name: string): string?  os.getenv, for specs to replace
---@return table
function config.resolve(given, level, getenv)
  level, given, getenv = (level or 1) + 1, given or {}, getenv or os.getenv
  if type(given) ~= "table" then error("options: table expected, got " .. type(given), level) end
  check_types(given, level + 1)
  local environment = from_environment(getenv)
  local profile = read_profile(given.profile or environment.profile or "default", getenv)
  local result = {}
  for name in pairs(SPEC) do
    result[name] = given[name]
    if result[name] == nil then result[name] = environment[name] end
    if result[name] == nil then result[name] = profile[name] end
    if result[name] == nil then result[name] = DEFAULTS[name] end
  end
  check_types(result, level + 1)
  for _, name in ipairs { "base_url", "client_id", "client_secret" } do
    if result[name] == nil then
      error(("option '%s' is missing: give it, set %s, or use a profile"):format(name, VARIABLES[name]), level)
    end
  end
  if result.encoding ~= "form" and result.encoding ~= "json" then
    error("option 'encoding': 'form' or 'json' expected", level)
  end
  check_url(result, level + 1)
  return result
end

return config
