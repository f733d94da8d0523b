-- SPDX-License-Identifier: MIT

--- `fogcloud sandbox`: a FogCloud on loopback, until it is interrupted.
local cjson = require "cjson"
local sandbox = require "fogcloud.sandbox.daemon"

local command = { summary = "Start a FogCloud of your own on this machine; prints what to export." }

function command.options(p)
  p:option("--port", "HTTP port, default a free one"):convert(tonumber)
  p:option("--mqtt-port", "the broker's plain port, default a free one"):convert(tonumber)
  p:option("--tls-port", "the broker's TLS port, default a free one"):convert(tonumber)
  p:option("--address", "where to listen, default 127.0.0.1"):default("127.0.0.1")
  p:option("--data", "keep everything in this folder")
  p:option("--seed", "accounts, apps, products and devices from a JSON or Lua file")
  p:option("--token-life", "seconds"):convert(tonumber)
  p:option("--rng-seed", "makes ids repeatable"):convert(tonumber)
  p:option("--cert-days", "life of the certificates; negative: expired so long ago"):convert(tonumber)
  p:option("--cert-host", "make the certificate for this host name instead of localhost")
  p:flag("--tls", "serve the API over TLS too")
  p:option("--broker-log", "what mosquitto logs: a log_type of its own, as in mosquitto.conf")
  p:flag("--client-certificates", "the TLS port demands a client certificate (client.pem, client.key beside ca.pem)")
  p:flag("--mqtt-faults", "a relay in front of the broker, so that MQTT can be made to fail")
  p:flag("--until-eof", "end with standard input, too")
end

local function fail(why)
  io.stderr:write("fogcloud sandbox: ", why, "\n")
  return 1
end

local function announce(daemon, as_json)
  local info = require("fogcloud.sandbox.control").info(daemon)
  if as_json then
    print(cjson.encode { url = info.url, ca_file = info.ca_file })
  else
    local text = "# a sandbox is ready; broker: localhost:%d (plain), localhost:%d (TLS)"
    print(text:format(info.mqtt_port, info.tls_port))
    local exports = {
      { "FOGCLOUD_BASE_URL", info.url }, { "FOGCLOUD_CLIENT_ID", info.client_id },
      { "FOGCLOUD_CLIENT_SECRET", info.client_secret }, { "FOGCLOUD_CA_FILE", info.ca_file },
      { "FOGCLOUD_APP_ID", info.app_id or "" },
    }
    for _, pair in ipairs(exports) do print(("export %s='%s'"):format(pair[1], pair[2])) end
  end
  io.stdout:flush()
end

--- Serves until it is interrupted, or for so long as standard input is open.
---@param args table
---@return integer code
function command.serve(args)
  local seed, why
  if args.seed then
    seed, why = require("fogcloud.sandbox.seed").read(args.seed)
    if seed == nil then return fail(why) end
  end
  local daemon
  daemon, why = sandbox.start {
    seed = seed, data = args.data, address = args.address, port = args.port, mqtt_port = args.mqtt_port,
    tls_port = args.tls_port, tls = args.tls, token_life = args.token_life, rng_seed = args.rng_seed,
    cert_days = args.cert_days, cert_host = args.cert_host, mqtt_faults = args.mqtt_faults,
    client_certificates = args.client_certificates, broker_log = args.broker_log,
  }
  if daemon == nil then return fail(why) end
  announce(daemon, args.json)
  local ok, err = pcall(daemon.run, daemon, args.until_eof)
  daemon:stop()
  return ok and 0 or fail(tostring(err))
end

return command
