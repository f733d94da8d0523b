-- SPDX-License-Identifier: MIT

--- The real command line against a sandbox, with a home folder of its own.
local busted = require "busted"
local cjson = require "cjson"
local support = require "spec.support.sandbox"
local script = require "spec.support.script"

local Cli = {}
Cli.__index = Cli

--- Environment and home for a sandbox's account.
function Cli.new(sandbox)
  local home = support.shell("mktemp -d"):match "%S+"
  local account = sandbox.account
  local environment = ("HOME=%s XDG_STATE_HOME=%s/state XDG_CONFIG_HOME=%s/config FOGCLOUD_BASE_URL=%s FOGCLOUD_CLIENT_ID=%s "
    .. "FOGCLOUD_CLIENT_SECRET=%s FOGCLOUD_CA_FILE=%s FOGCLOUD_APP_ID=%s"):format(home, home, home, sandbox.url,
    account.client_id, account.client_secret, sandbox.ca_file, sandbox.app_id)
  return setmetatable({ home = home, environment = environment, program = script.interpreter() .. " bin/fogcloud" }, Cli)
end

--- The shell command for arguments.
function Cli:command(arguments, environment)
  return ("env %s timeout 60 %s %s"):format(environment or self.environment, self.program, arguments)
end

--- Runs it: standard output, exit code, standard error.
function Cli:run(arguments, environment)
  local errors = self.home .. "/stderr"
  local out, code = support.shell(("{ %s; } 2>%s"):format(self:command(arguments, environment), errors))
  local file = assert(io.open(errors))
  local said = file:read("*a")
  file:close()
  return out, code, said
end

--- Writes device.json into the home: what the device logs in with, over TLS.
function Cli:keep_device(id, sandbox)
  local credentials = support.device_credentials(sandbox, id)
  support.shell(("umask 077; echo '%s' > %s/device.json"):format(cjson.encode(credentials), self.home))
end

function Cli:close() support.shell("rm -rf " .. self.home) end

--- A sandbox with these options, and its command line, for the specs of a `describe`; `made(cli, sandbox)` gets them.
function Cli.beside_sandbox(options, made)
  local sandbox, cli
  busted.setup(function()
    sandbox = support.start(options)
    cli = Cli.new(sandbox)
    made(cli, sandbox)
  end)
  busted.teardown(function()
    cli:close()
    sandbox:stop()
  end)
end

return Cli
