-- SPDX-License-Identifier: MIT

--- What `fogcloud.new` takes: options, then FOGCLOUD_* variables, then a profile file; checked in one place.
--
-- The profile file is `$XDG_CONFIG_HOME/fogcloud/profiles.json` (or `~/.config/fogcloud/profiles.json`): one object of
-- profiles by name, each an object of options. It holds secrets, so it must be its owner's alone (chmod 600). A file
-- `current` beside it names the one that is used when none is asked for; without it, "default".
-- Whatever is wrong raises and names the option and where its value came from; a value is never quoted.
local base_url = require "fogcloud.api.base_url"
local check = require "fogcloud.check"
local core = require "fogcloud.core"
local errors = require "fogcloud.errors"
local folders = require "fogcloud.folders"
local json = require "fogcloud.json"
local topic_rules = require "fogcloud.mqtt.topic"

local config = {}

---@class (exact) fogcloud.Options
---@field base_url string?              where the API is; https, or http to a loopback address. No default
---@field client_id string?             Access Key ID
---@field client_secret string?         Access Key Secret
---@field app_id string?                the application that `client` and `open` use when they are given none
---@field ca_file string?               PEM file of the authorities to trust instead of the system's
---@field ca_pem string?                the same as text, in its place
---@field cert_file string?             client certificate (PEM), where the server wants one
---@field key_file string?              its private key (PEM); default cert_file
---@field key_password string?          its pass phrase
---@field user_agent string?            the User-Agent of every request; default fogcloud's, Lua's, libcurl's versions
---@field encoding "form"|"json"|nil    default "form"
---@field timeout number?               seconds for a call with all its attempts, default 30
---@field attempt_timeout number?       seconds for one attempt of a call that may be repeated, default 10
---@field connect_timeout number?       seconds for one connection, default 10
---@field max_body number?              bytes of a reply, 1 to 1e9, default 4 MiB
---@field proxy string?                 URL of an HTTP proxy; without it none is used, whatever the environment says
---@field allow_insecure_http boolean?  lets http:// go to other hosts than this one
---@field request_id boolean?           send X-Request-Id with every request
---@field profile string?               its name, default "default" or what `fogcloud profile use` chose
---@field store string|table|nil        where tokens and clients are kept: "memory" (default), "file", "file:FOLDER",
---                                     "shdict:NAME" (OpenResty), "redis://HOST" (see docs/guide-tokens.md), or a
---                                     store (see store/init.lua)
---@field log string|function|nil       "debug", "info", "warn", "error" (to stderr) or fn(level, message, fields)
---@field on_request function?          fn(request) after every HTTP request; see fogcloud.Request. Must not yield
---@field random function?              gives numbers in [0, 1), for jitter and request ids
---@field session fogcloud.SessionOptions?  defaults of the options of its sessions
---@field environment boolean?          false: reads no variable, no home folder, no profile. FOGCLOUD_LOG is not looked
---                                     at by anything of this Lua state then

---@class fogcloud.Request
---@field endpoint "token"|"create_client"|"grant"|"revoke"|"products"
---@field attempt integer        1 for the first
---@field status integer?        HTTP status; nil when there was no reply
---@field code integer?          the API's code of a failure
---@field kind fogcloud.ErrorKind?  nil when it went well
---@field request_id string      the call's; sent, and named by its error, with the option
---@field date string?           the server's Date header
---@field timings fogcloud.Timings

--- Seconds from the request's start to the end of each step, as measured by libcurl. On a kept connection resolve,
--- connect and tls are 0 or nearly so; without TLS tls is 0. All nil when the request was given up before it ended.
---@class fogcloud.Timings
---@field resolve number?
---@field connect number?
---@field tls number?
---@field first_byte number?
---@field total number?

local SPEC = {
  base_url = "string", client_id = "string", client_secret = "string", app_id = "string", ca_file = "string",
  ca_pem = "string", cert_file = "string", key_file = "string", key_password = "string", user_agent = "string",
  encoding = "string", timeout = "number", attempt_timeout = "number", connect_timeout = "number",
  max_body = { "whole", 1, 1e9 }, proxy = "string", allow_insecure_http = "boolean", request_id = "boolean",
  profile = "string", store = "string or table", log = "string or function", on_request = "function",
  random = "function", session = "table", environment = "boolean",
}

local VARIABLES = {
  base_url = "FOGCLOUD_BASE_URL", client_id = "FOGCLOUD_CLIENT_ID", client_secret = "FOGCLOUD_CLIENT_SECRET",
  app_id = "FOGCLOUD_APP_ID", ca_file = "FOGCLOUD_CA_FILE", profile = "FOGCLOUD_PROFILE",
}

local DEFAULTS = {
  encoding = "form", timeout = 30, attempt_timeout = 10, connect_timeout = 10, max_body = 4 * 1024 * 1024,
  profile = "default", store = "memory",
}

local REQUIRED = { "base_url", "client_id", "client_secret" }
local MULTILINE = { ca_pem = true }
local CHOICES = {
  encoding = { { form = true, json = true }, "'form' or 'json'" },
  log = { { debug = true, info = true, warn = true, error = true }, "'debug', 'info', 'warn' or 'error'" },
}

-- What to say after the name of an option that has a wrong value, nil when it is right.
local function complaint(name, value)
  local why = check.value(SPEC[name], value)
  if why then return ": " .. why end
  if type(value) == "number" and not (value > 0 and value < math.huge) then return ": a positive number expected" end
  if type(value) ~= "string" then return nil end
  if value == "" then return " is empty" end
  local choice = CHOICES[name]
  if choice and not choice[1][value] then return (": %s expected"):format(choice[2]) end
  if not MULTILINE[name] and (value:find("%c") or value:find("%z")) then return " holds a control character" end
  return nil
end

-- Two ways to say one thing: who says one says nothing by the other.
local IN_PLACE_OF = { ca_file = "ca_pem", ca_pem = "ca_file" }

-- Takes over what `source` has and nobody before it had; `label(name)` says where a value came from. What is wrong with
-- it, if anything.
local function merge(result, source, label)
  local found = {}
  for name, value in pairs(source) do
    if SPEC[name] == nil then return ("unknown %s"):format(label(name)) end
    local why = complaint(name, value)
    if why then return label(name) .. why end
    local other = IN_PLACE_OF[name]
    if result[name] == nil and not (other and result[other] ~= nil) then found[name] = value end
  end
  for name, value in pairs(found) do
    if IN_PLACE_OF[name] and found[IN_PLACE_OF[name]] ~= nil then
      return ("%s and %s say the same: give one"):format(label "ca_file", label "ca_pem")
    end
    result[name] = value
  end
  return nil
end

local function from_environment(getenv)
  local found = {}
  for name, variable in pairs(VARIABLES) do
    local value = getenv(variable)
    if value ~= nil and value ~= "" then found[name] = value end
  end
  return found
end

--- Where profiles are kept.
---@param getenv fun(name: string): string?
---@return string path
function config.profile_path(getenv)
  return folders.config(getenv) .. "/fogcloud/profiles.json"
end

--- The name of the profile that is used when none is asked for, and whether somebody chose it.
---@param getenv fun(name: string): string?
---@return string name
---@return boolean chosen
function config.current_profile(getenv)
  local text = core.file.read((config.profile_path(getenv):gsub("[^/]*$", "current")))
  local name = text and text:match("^%s*(.-)%s*$")
  if name == nil or name == "" then return DEFAULTS.profile, false end
  return name, true
end

-- The profile's options; none when there is no file. A profile that was asked for by name must be there. nil, and what
-- is wrong.
local function read_profile(name, path, asked)
  local text, why, detail = core.file.read(path)
  if text == nil and why ~= "absent" then return nil, ("profile file %s: %s"):format(path, detail) end
  local decoded, profiles = pcall(json.decode, text or "{}")
  if not decoded or type(profiles) ~= "table" then
    return nil, ("profile file %s: a JSON object of profiles expected"):format(path)
  end
  local profile = profiles[name]
  if profile == nil and asked then
    return nil, ("option 'profile': there is no profile '%s' in %s"):format(name, path)
  end
  if profile ~= nil and type(profile) ~= "table" then
    return nil, ("profile file %s: '%s' is no object"):format(path, name)
  end
  if profile ~= nil and profile.environment ~= nil then
    return nil, ("option 'environment' in %s: only fogcloud.new takes it"):format(path)
  end
  return profile or {}
end

-- What is wrong with the options as a whole; nil when nothing is.
local function wrong_together(result)
  for _, name in ipairs(REQUIRED) do
    if result[name] == nil and result.environment == false then
      return ("option '%s' is missing: give it, for environment = false looks nowhere else"):format(name)
    elseif result[name] == nil then
      return ("option '%s' is missing: give it, set %s, or make a profile (fogcloud login)"):format(name,
        VARIABLES[name])
    end
  end
  for _, name in ipairs { "client_id", "client_secret" } do
    if result.encoding == "json" and not topic_rules.is_utf8(result[name]) then
      return ("option '%s' must be UTF-8 where encoding is 'json'"):format(name)
    end
  end
  if result.key_file and not result.cert_file then
    return "option 'key_file' is for a certificate: give cert_file too"
  end
  local why = base_url.complaint(result.base_url, result.allow_insecure_http)
  return why and "option 'base_url': " .. why
end

-- What cannot be had without looking around; nil when nothing of it is asked for.
local function wrong_alone(given)
  if given.profile ~= nil then return "option 'profile': environment = false reads no profile" end
  if given.store ~= "file" then return nil end
  return "option 'store': environment = false does not look for the user's folder: give 'file:FOLDER'"
end

local function label_of_option(name) return ("option '%s'"):format(errors.text(name)) end

-- Takes over what all places say into `result`. What is wrong with it, if anything.
local function merge_all(result, given, getenv)
  local wrong = merge(result, given, label_of_option)
  if wrong then return wrong end
  if given.environment == false then return wrong_alone(given) or merge(result, DEFAULTS, tostring) end
  wrong = merge(result, from_environment(getenv), function(name) return VARIABLES[name] end)
  if wrong then return wrong end
  local path = config.profile_path(getenv)
  local chosen = result.profile ~= nil
  if not chosen then result.profile, chosen = config.current_profile(getenv) end
  local profile, why = read_profile(result.profile, path, chosen)
  if profile == nil then return why end
  return merge(result, profile, function(name) return ("option '%s' in %s"):format(errors.text(name), path) end)
    or merge(result, DEFAULTS, tostring)
end

--- What is said in all these places, whole or not: for what needs no account, as a session by credentials at hand.
--- Wrong options raise at the caller of the caller.
---@param given fogcloud.Options?
---@param level integer?
---@param getenv (fun(name: string): string?)?  os.getenv, for specs to replace
---@return table
function config.merged(given, level, getenv)
  level, given, getenv = (level or 1) + 1, given or {}, getenv or folders.getenv
  if type(given) ~= "table" then error("options: table expected, got " .. type(given), level) end
  local result = {}
  local wrong = merge_all(result, given, getenv)
  if wrong then error(wrong, level) end
  return result
end

--- The options in force. Wrong ones raise at the caller of the caller; missing ones too, with where they may come from.
---@param given fogcloud.Options?
---@param level integer?
---@param getenv (fun(name: string): string?)?
---@return table
function config.resolve(given, level, getenv)
  level = (level or 1) + 1
  local result = config.merged(given, level, getenv)
  local wrong = wrong_together(result)
  if wrong then error(wrong, level) end
  return result
end

return config
