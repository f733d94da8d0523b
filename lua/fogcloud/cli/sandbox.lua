-- SPDX-License-Identifier: MIT

--- `fogcloud sandbox`: a FogCloud on loopback, until it is interrupted.
local exit = require "fogcloud.cli.exit"
local json = require "fogcloud.sandbox.json"
local options = require "fogcloud.sandbox.options"
local sandbox = require "fogcloud.sandbox.daemon"
local seeds = require "fogcloud.sandbox.seed"

local command = { summary = "Start a FogCloud of your own on this machine; prints what to export." }

function command.options(p)
  options.declare(p)
  p:option("--seed", "accounts, apps, products and devices from a JSON or Lua file"):argname("FILE")
  p:option("--app", "one app more; again for another"):argname("ID"):count("*")
  p:option("--product", "one product more"):argname("ID=NAME"):count("*")
  p:option("--device", "one device more; its password is ID-secret when none is given"):argname("ID[=PASSWORD]")
    :count("*")
  p:flag("--until-eof", "end with standard input, too")
end

local function fail(why, code)
  io.stderr:write("fogcloud sandbox: ", why, "\n")
  return code or exit.failure
end

-- What the command line says of accounts; nothing when it says nothing.
local function seed_of(args)
  local seed, why
  if args.seed then
    seed, why = seeds.read(args.seed)
    if seed == nil then return nil, why end
  end
  if #args.app + #args.product + #args.device == 0 then return seed end
  return seeds.extend(seed or seeds.default(), args.app, args.product, args.device)
end

local function announce(daemon, as_json)
  local info = require("fogcloud.sandbox.control").announcement(daemon)
  if as_json then
    print((json.encode(info):gsub("\\/", "/")))
  else
    local text = "# a sandbox is ready; broker: %s:%d (plain), %s:%d (TLS)\n# its console: %s"
    print(text:format(info.mqtt_host, info.mqtt_port, info.mqtt_host, info.tls_port, info.console))
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
  local given = options.given(args)
  local ok, why = options.check(given)
  if not ok then return fail(why, exit.usage) end
  given.seed, why = seed_of(args)
  if why then return fail(why, exit.usage) end
  local daemon
  daemon, why = sandbox.start(given)
  if daemon == nil then return fail(why) end
  announce(daemon, args.json)
  ok, why = pcall(daemon.run, daemon, args.until_eof)
  daemon:stop()
  return ok and exit.ok or fail(tostring(why))
end

return command
