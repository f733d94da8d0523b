-- SPDX-License-Identifier: MIT

--- What `fogcloud doctor` looks at. A check tells its report (add(name, status, detail, remedy)), and returns what the
--- next ones need; nil or false where there is no point in going on.
local claim = require "fogcloud.cli.claim"
local clients = require "fogcloud.cli.clients"
local core = require "fogcloud.core"
local errors = require "fogcloud.errors"
local File = require "fogcloud.store.file"
local fogcloud = require "fogcloud"
local sessions = require "fogcloud.cli.session"
local private = require "fogcloud.cli.private"
local profiles = require "fogcloud.cli.profiles"
local protect = require "fogcloud.task.protect"
local retry = require "fogcloud.api.retry"
local topics = require "fogcloud.cli.topics"
local versions = require "fogcloud.cli.version"

local checks = {}

local DAY = 86400
local SOON = 14 * DAY -- a certificate that ends so soon is worth a word
local SKEW = 60 -- seconds by which a clock may be wrong

-- Versions ----------------------------------------------------------------------------------------------------------

-- What is known of versions, the worst first: older than `below` is judged so, unless this build has what makes up for
-- it. docs/troubleshooting.md has the details.
local KNOWN = {
  { name = "libcurl", of = "curl", { below = "7.68.0", status = "fail",
    remedy = "curl_multi_poll is needed: libcurl 7.68 or later" } },
  { name = "OpenSSL", of = "tls", { below = "1.1.1", status = "warn",
    remedy = "no longer maintained: 1.1.1 or later" } },
  { name = "lua-cjson", of = "cjson", { below = "2.1.0", status = "warn", remedy = "2.1.0 or later" } },
}

local function judge_version(library, info)
  local version = versions.ordinal(tostring(info[library.of]))
  for _, rule in ipairs(library) do
    if version < versions.ordinal(rule.below) then return rule.status, rule.remedy end
  end
  return "ok"
end

--- Lua and the libraries.
---@param info table?  versions, and what this build has; for specs to replace
function checks.versions(report, info)
  if info == nil then
    info = fogcloud.info()
    info.async_dns = core.versions().async_dns
  end
  report:add("fogcloud", "ok", info.fogcloud .. " on " .. info.lua)
  for _, library in ipairs(KNOWN) do
    local status, remedy = judge_version(library, info)
    report:add(library.name, status, tostring(info[library.of]), remedy)
  end
  if not info.async_dns then
    report:add("libcurl DNS", "warn", "names are looked up without a time-out",
      "a libcurl with the threaded resolver, or with c-ares")
  end
end

-- Files and configuration -------------------------------------------------------------------------------------------

local REMEDIES = {
  loose = "chmod 600 %s, if its content may be trusted (700 for a folder)", damaged = "correct it, or move it away: %s",
  foreign = "have its owner give it to you: %s", special = "put a regular file there: %s",
}

local function is_there(path)
  local file = io.open(path, "r")
  if file then file:close() end
  return file ~= nil
end

local function judge_file(report, path, text, why)
  return report:add("file", "fail", text, (REMEDIES[why] or "see that it can be read: %s"):format(path))
end

--- Those that hold secrets, and their folders: whole, and their owner's alone.
function checks.files(report)
  for _, path in ipairs { profiles.path(), clients.path() } do
    local folder = path:match("^(.*)/")
    local good, reason, detail = true, nil, nil
    if is_there(folder) then good, reason, detail = core.file.folder(folder) end
    local object, text, why = private.read(path)
    if not good then
      judge_file(report, folder, ("%s cannot be used: %s"):format(folder, detail), reason)
    elseif object == nil then
      judge_file(report, path, text, why)
    else
      report:add("file", "ok", path .. (is_there(path) and ", yours alone" or " (not there)"))
    end
  end
end

-- The token that is kept for the account, if one is.
local function kept_token(report, cloud)
  local _, err = File.new():get(cloud.access.key)
  if err then report:add("file", "fail", err.message, "remove it; another token will be fetched") end
end

--- Whether a cloud can be made of flags, variables and profile; the cloud.
function checks.configuration(report, context)
  local options = context:options()
  local seen = {}
  options.store = "memory" -- a kept token would say nothing of the Access Key
  function options.on_request(request) seen.date = request.date or seen.date end
  local ok, cloud = pcall(fogcloud.new, options)
  if not ok then
    local why = errors.text(cloud):gsub("^[^ ]-:%d+: ", "")
    report:add("configuration", "fail", why, "fogcloud login, or set the FOGCLOUD_* variables")
    return nil
  end
  report:add("configuration", "ok", ("%s, profile '%s'"):format(cloud.options.base_url, cloud.options.profile))
  cloud.seen = seen
  kept_token(report, cloud)
  return cloud
end

-- Network -----------------------------------------------------------------------------------------------------------

local STAGES = {
  resolve = { "DNS", "the name is not known: check the spelling and the resolver (/etc/resolv.conf)" },
  connect = { "TCP", "nobody answers there: check host, port and firewalls" },
  tls = { "TLS", "the port may not speak TLS, or something between cuts it" },
}

local NO_AUTHORITIES = "name a PEM file that can be read: --ca-file, FOGCLOUD_CA_FILE, or ca_file of the profile"

local function verdict_remedy(verdict)
  if verdict:find("expired") or verdict:find("not yet valid") then
    return "look at this machine's clock, then at the certificate"
  end
  if verdict:find("[Hh]ostname mismatch") or verdict:find("IP address mismatch") then
    return "connect by the name that the certificate is for"
  end
  return "name its authority by --ca-file (ca_file), or install it on the system"
end

local function certificate(report, name, seen)
  local now = core.wall()
  local left = seen.not_after - now
  local until_when = os.date("!%Y-%m-%d", math.floor(seen.not_after))
  if not seen.verified then
    local detail = ("%s (%s)"):format(seen.verdict, seen.subject or "?")
    return report:add(name, "fail", detail, verdict_remedy(seen.verdict))
  end
  if left < SOON then
    return report:add(name, "warn", ("valid until %s only"):format(until_when), "have it renewed")
  end
  return report:add(name, "ok", ("trusted, for this host, until %s"):format(until_when))
end

-- Connects step by step and tells of each.
local function reach(report, what, host, port, tls, ca_file, timeout)
  local seen = core.probe(host, tostring(math.floor(port)), { tls = tls, ca_file = ca_file, timeout = timeout })
  local failed = STAGES[seen.stage]
  if seen.address and seen.address ~= host then report:add(what .. " DNS", "ok", host .. " is " .. seen.address) end
  if failed then
    local detail = ("%s:%d: %s"):format(host, port, seen.error or "?")
    local no_file = detail:find("ca_file", 1, true)
    return report:add(("%s %s"):format(what, failed[1]), "fail", detail, no_file and NO_AUTHORITIES or failed[2])
  end
  local detail = ("%s:%d is %s, %.0f ms"):format(host, port, seen.address, seen.seconds * 1000)
  report:add(what .. " TCP", "ok", detail)
  if tls then return certificate(report, what .. " TLS", seen) end
  return true
end

--- DNS, TCP and TLS of the API.
function checks.api_network(report, cloud, context)
  local scheme, host, port = cloud.options.base_url:match("^(%a+)://([^/:]+):?(%d*)")
  if host == nil then scheme, host, port = cloud.options.base_url:match("^(%a+)://%[([^%]]+)%]:?(%d*)") end
  local tls = scheme:lower() == "https"
  if cloud.options.proxy then
    return report:add("API", "warn", "a proxy is used: the network is not looked at",
      "look at the proxy if the next fails")
  end
  port = tonumber(port) or (tls and 443 or 80)
  return reach(report, "API", host, port, tls, cloud.options.ca_file, context.timeout or 10)
end

-- Account -----------------------------------------------------------------------------------------------------------

--- The machine's clock against the Date header of a reply.
function checks.clock(report, date)
  local server = date and retry.http_date(date)
  if server == nil then return end
  local off = core.wall() - server
  if math.abs(off) > SKEW then
    report:add("clock", "warn", ("%.0f s from the server's"):format(off),
      "set this machine's clock (NTP); certificates depend on it")
  else
    report:add("clock", "ok", "as the server's")
  end
end

--- Token, products and clock.
function checks.account(report, cloud)
  local token, err = cloud:token()
  if token == nil then
    report:add("API token", "fail", errors.text(err),
      err.kind == "auth" and "the Access Key is wrong or withdrawn: fogcloud login" or "see docs/troubleshooting.md")
    return
  end
  report:add("API token", "ok", "given")
  local products
  products, err = cloud:products()
  if products == nil then
    report:add("API products", "fail", errors.text(err), "see docs/troubleshooting.md")
  else
    report:add("API products", #products > 0 and "ok" or "warn", ("%d"):format(#products),
      "an account without products has no devices")
  end
  checks.clock(report, cloud.seen.date)
end

-- Broker ------------------------------------------------------------------------------------------------------------

--- The client that is kept here or given; its credentials.
function checks.client(report, args, context)
  local ok, credentials, why = protect.call(sessions.find, args, context)
  if ok and credentials then
    report:add("MQTT client", "ok", credentials.clientid)
    return credentials
  end
  if not ok then why = type(credentials) == "table" and credentials.usage or errors.text(credentials) end
  report:add("MQTT client", (args.client or args.credentials or not ok) and "fail" or "warn", why,
    "the broker is not looked at without one: fogcloud client create, or --client, --credentials")
  return nil
end

--- DNS, TCP and TLS of the broker, at both ports that it has.
function checks.broker_network(report, credentials, args, context)
  local ca_file, timeout = sessions.session_options(args, context, credentials).ca_file, context.timeout or 10
  local host = credentials.mqtthost
  local secure = credentials.sslport and reach(report, "MQTT", host, credentials.sslport, true, ca_file, timeout)
  if credentials.mqttport and not args.plain then
    local seen = core.probe(host, tostring(math.floor(credentials.mqttport)), { timeout = timeout })
    report:add("MQTT plain port", "ok", seen.stage == "done" and "open" or "closed; TLS does not need it")
  elseif credentials.mqttport then
    return reach(report, "MQTT", host, credentials.mqttport, false, nil, timeout)
  end
  return secure
end

--- Login, and permission on a device. A client that a command of another terminal uses is left to it.
function checks.session(report, credentials, args, context)
  if not args.credentials then
    local free, busy = claim.client(credentials, true, nil, context)
    if not free then return report:add("MQTT login", "warn", busy, "end that one, or look at another client") end
  end
  local ok, session, err = protect.call(sessions.connect, args, context, credentials,
    sessions.session_options(args, context, credentials))
  if not ok then
    local why = type(session) == "table" and session.usage or errors.text(session)
    return report:add("MQTT login", "fail", why:match("^[^\n]*"), "see docs/troubleshooting.md")
  end
  if session == nil then
    return report:add("MQTT login", "fail", errors.text(err),
      err.kind == "auth" and "make another client: fogcloud client create" or "see docs/troubleshooting.md")
  end
  report:add("MQTT login", "ok", "accepted")
  if args.device then
    local granted, refused = session:subscribe(topics.from(args.device, "#"), 0, function() end)
    report:add("MQTT permission", granted and "ok" or "fail", granted and args.device or tostring(refused),
      ("fogcloud permission grant %s"):format(args.device))
  end
  session:close()
end

return checks
