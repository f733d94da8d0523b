-- SPDX-License-Identifier: MIT

--- `fogcloud sandbox`: a FogCloud on loopback, until it is interrupted, or for as long as a command runs; and the verbs
--- that speak to a running one (sandbox_verbs.lua).
local errors = require "fogcloud.errors"
local core = require "fogcloud.sandbox.core"
local exit = require "fogcloud.cli.exit"
local exports = require "fogcloud.sandbox.exports"
local json = require "fogcloud.sandbox.json"
local options = require "fogcloud.sandbox.options"
local sandbox = require "fogcloud.sandbox.daemon"
local seeds = require "fogcloud.sandbox.seed"
local record = require "fogcloud.cli.sandbox_record"
local verbs = require "fogcloud.cli.sandbox_verbs"

local command = { summary = "Start a FogCloud of your own on this machine; prints what to export." }

local NOT_FOUND, NOT_EXECUTABLE, ENOENT = 127, 126, 2 -- as of a shell

function command.options(p)
  options.declare(p)
  p:option("--seed", "accounts, apps, products and devices from a JSON or Lua file"):argname("FILE")
  p:option("--app", "one app more; again for another"):argname("ID"):count("*"):target("apps")
  p:option("--product", "one product more"):argname("ID=NAME"):count("*")
  p:option("--device", "one device more; its password is ID-secret when none is given"):argname("ID[=PASSWORD]")
    :count("*")
  p:option("--env-file", "write what to export to this file, too, 0600, once it is ready; it goes with the sandbox")
    :argname("FILE")
  p:flag("--until-eof", "end with standard input, too")
  p:command_target("action"):require_command(false)
  p:command("exec", "start one for a command: exported to it, ended with it; its exit code is the command's")
    :argument("argv", "the command and its arguments, behind --"):args("+")
  verbs.declare(p)
  record.declare(p)
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
  if #args.apps + #args.product + #args.device == 0 and not args.devices then return seed end
  return seeds.extend(seed or seeds.default(), args.apps, args.product, args.device, args.devices)
end

local function announce(info, as_json)
  if as_json then
    print((json.encode(info):gsub("\\/", "/")))
  else
    local text = "# a sandbox is ready; broker: %s:%d (plain), %s:%d (TLS)\n# its console: %s\n"
    io.stdout:write(text:format(info.mqtt_host, info.mqtt_port, info.mqtt_host, info.tls_port, info.console))
    io.stdout:write(exports.text(info, "export "))
  end
  io.stdout:flush()
end

-- Runs the command of `exec` beside the sandbox.
local function exec(daemon, args, info)
  local child, why, number = core.run(args.argv, exports.list(info), daemon.umask)
  if child == nil then
    return fail(("%s: %s"):format(args.argv[1], why), number == ENOENT and NOT_FOUND or NOT_EXECUTABLE)
  end
  return daemon:run(false, child)
end

local function serve(daemon, args)
  local info = require("fogcloud.sandbox.control").announcement(daemon)
  if args.env_file then
    local ok, why = exports.write(args.env_file, info)
    if not ok then return fail(why) end
  end
  if args.action == "exec" then return exec(daemon, args, info) end
  announce(info, args.json)
  daemon:run(args.until_eof)
  return exit.ok
end

--- Serves until it is interrupted, for so long as standard input is open, or until a command has ended.
---@param args table
---@return integer? code  nil: a verb, which `run` is for
function command.serve(args)
  if args.action and args.action ~= "exec" then return nil end
  local given = options.given(args)
  local ok, why = options.check(given)
  if not ok then return fail(why, exit.usage) end
  given.seed, why = seed_of(args)
  if why then return fail(why, exit.usage) end
  local daemon, code
  daemon, why = sandbox.start(given)
  if daemon == nil then return fail(why) end
  ok, code = pcall(serve, daemon, args)
  daemon:stop()
  if args.env_file then os.remove(args.env_file) end
  return ok and code or fail(errors.text(code))
end

command.run = verbs.run

return command
