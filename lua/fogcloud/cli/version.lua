-- SPDX-License-Identifier: MIT

--- `fogcloud version`: versions of all that is used; and how versions are compared, which nobody else does.
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"

local command = { summary = "Show versions of all that is used." }

function command.options() end

--- The first version in a text ("7.88.1") as a number that can be compared; 0 without one.
function command.ordinal(text)
  local a, b, c = (text or ""):match("(%d+)%.(%d+)%.?(%d*)")
  return a and tonumber(a) * 1e6 + tonumber(b) * 1e3 + (tonumber(c) or 0) or 0
end

--- The line of `fogcloud --version`.
function command.line()
  local info = fogcloud.info()
  return ("fogcloud %s (%s, libcurl %s, %s, lua-cjson %s)"):format(info.fogcloud, info.lua, info.curl,
    info.tls, info.cjson)
end

local FIELDS = { "fogcloud", "lua", "curl", "tls", "cjson" }

function command.run(_, context)
  local info, record = fogcloud.info(), {}
  for _, name in ipairs(FIELDS) do record[name] = info[name] end
  context.out:record(record, command.line())
  return exit.ok
end

return command
