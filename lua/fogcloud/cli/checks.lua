-- SPDX-License-Identifier: MIT

--- What `fogcloud doctor` looks at. A check tells its report (add(name, status, detail, remedy)), and returns what the
--- next ones need; nil or false where there is no point in going on.
local clients = require "fogcloud.cli.clients"
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local link = require "fogcloud.cli.link"
local private = require "fogcloud.cli.private"
local profiles = require "fogcloud.cli.profiles"
local protect = require "fogcloud.protect"
local retry = require "fogcloud.retry"

local checks = {}

local DAY = 86400
local SOON = 14 * DAY -- a certificate that ends so soon is worth a word
local SKEW = 60 -- seconds by which a clock may be wrong

-- Versions ----------------------------------------------------------------------------------------------------------

-- "7.88.1" as a number that can be compared.
local function ordinal(text)
  local a, b, c = (text or ""):match("(%d+)%.(%d+)%.?(%d*)")
  return a and tonumber(a) * 1e6 + tonumber(b) * 1e3 + (tonumber(c) or 0) or 0
end

-- What is known of versions: older than `below` is judged so. docs/troubleshooting.md has the details.
local KNOWN = {
  { name = "libcurl", of = "curl", below = "7.68.0", status = "fail",
    remedy = "curl_multi_poll is needed: libcurl 7.68 or later" },
  { name = "Paho MQTT C", of = "paho", below = "1.3.9", status = "fail",
    remedy = "session loss and crashes were fixed since: 1.3.9 or later" },
  { name = "OpenSSL", of = "tls", below = "1.1.1", status = "warn", remedy = "no longer maintained: 1.1.1 or later" },
  { name = "lua-cjson", of = "cjson", below = "2.1.0", status = "warn", remedy = "2.1.0 or later" },
}

--- Lua and the libraries.
function checks.versions(report)
  local info = fogcloud.info()
  report:add("fogcloud", "ok", info.fogcloud .. " on " .. info.lua)
  for _, known in ipairs(KNOWN) do
    local version = tostring(info[known.of])
    local old = ordinal(version) < ordinal(known.below)
    report:add(known.name, old and known.status or "ok", version, known.remedy)
  end
end

-- Files and configuration -------------------------------------------------------------------------------------------

--- Those that hold secrets: there, whole, and their owner's alone.
function checks.files(report)
  for _, path in ipairs { profiles.path(), clients.path() } do
    local _, absent = core.file.read(path)
    local object, why = private.read(path)
    if object == nil then
      report:add("file", "fail", why, ("chmod 600 %s, if it is yours and its content may be trusted"):format(path))
    else
      report:add("file", "ok", path .. (absent == "absent" and " (not there)" or ", yours alone"))
    end
  end
end

--- Whether a cloud can be made of flags, variables and profile; the cloud.
function checks.configuration(report, context)
  local options = context:options()
  local seen = {}
  options.store = "memory" -- a kept token would say nothing of the Access Key
  function options.on_request(request) seen.date = request.date or seen.date end
  local ok, cloud = pcall(fogcloud.new, options)
  if not ok then
    local why = tostring(cloud):gsub("^[^ ]-:%d+: ", "")
    report:add("configuration", "fail", why, "fogcloud login, or set the FOGCLOUD_* variables")
    return nil
  end
  report:add("configuration", "ok", ("%s, profile '%s'"):format(cloud.options.base_url, cloud.options.profile))
  cloud.seen = seen
  return cloud
end

-- Network -----------------------------------------------------------------------------------------------------------

local STAGES = {
  resolve = { "DNS", "the name is not known: check the spelling and the resolver (/etc/resolv.conf)" },
  connect = { "TCP", "nobody answers there: check host, port and firewalls" },
  tls = { "TLS", "the port may not speak TLS, or something between cuts it" },
}

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
  if failed then
    local detail = ("%s:%d: %s"):format(host, port, seen.error or "?")
    return report:add(("%s %s"):format(what, failed[1]), "fail", detail, failed[2])
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

local function clock(report, date)
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
    report:add("API token", "fail", tostring(err),
      err.kind == "auth" and "the Access Key is wrong or withdrawn: fogcloud login" or "see docs/troubleshooting.md")
    return
  end
  report:add("API token", "ok", "given")
  local products
  products, err = cloud:products()
  if products == nil then
    report:add("API products", "fail", tostring(err), "see docs/troubleshooting.md")
  else
    report:add("API products", #products > 0 and "ok" or "warn", ("%d"):format(#products),
      "an account without products has no devices")
  end
  clock(report, cloud.seen.date)
end

-- Broker ------------------------------------------------------------------------------------------------------------

--- The client that is kept here or given; its credentials.
function checks.client(report, args, context, cloud)
  if not args.credentials then
    local client, why = clients.find(args.client, cloud and cloud.options.base_url)
    if client == nil then
      report:add("MQTT client", args.client and "fail" or "warn", why, "the broker is not looked at without one")
      return nil
    end
  end
  local ok, credentials = protect.call(link.credentials, args, context)
  if not ok then
    local why = type(credentials) == "table" and credentials.usage or tostring(credentials)
    report:add("MQTT client", "fail", why, "name another one")
    return nil
  end
  report:add("MQTT client", "ok", tostring(credentials.clientid))
  return credentials
end

--- DNS, TCP and TLS of the broker, at both ports that it has.
function checks.broker_network(report, credentials, args, context)
  local ca_file, timeout = link.ca_file(args, credentials), context.timeout or 10
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

--- Login, and permission on a device.
function checks.session(report, credentials, args, context)
  local ok, session, err = protect.call(fogcloud.connect, credentials, link.session_options(args, context, credentials))
  if not ok then
    return report:add("MQTT login", "fail", tostring(session):match("^[^\n]*"), "see docs/troubleshooting.md")
  end
  if session == nil then
    return report:add("MQTT login", "fail", tostring(err),
      err.kind == "auth" and "make another client: fogcloud client create" or "see docs/troubleshooting.md")
  end
  report:add("MQTT login", "ok", "accepted")
  if args.device then
    local granted, refused = session:subscribe(("d2c/%s/#"):format(args.device), 0, function() end)
    report:add("MQTT permission", granted and "ok" or "fail", granted and args.device or tostring(refused),
      ("fogcloud permission grant %s"):format(args.device))
  end
  session:close()
end

return checks
