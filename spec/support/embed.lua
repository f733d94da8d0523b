-- SPDX-License-Identifier: MIT

--- What specs of `make embed` share: archives made in folders of their own, and programs that are linked with them.
local busted = require "busted"
local support = require "spec.support.sandbox"

local embed = {}

local SANITIZE = os.getenv "SANITIZE" or ""
embed.FLAGS = "-std=c11 -Wall -Wextra -Werror" .. (SANITIZE ~= "" and " -fsanitize=" .. SANITIZE or "")

-- Each Lua as a program links it statically, and where its headers are.
local LUAS = {
  ["lua5.4"] = { "/usr/include/lua5.4", "-l:liblua5.4.a" }, ["lua5.3"] = { "/usr/include/lua5.3", "-l:liblua5.3.a" },
  ["lua5.2"] = { "/usr/include/lua5.2", "-l:liblua5.2.a" }, ["lua5.1"] = { "/usr/include/lua5.1", "-l:liblua5.1.a" },
  luajit = { "/usr/include/luajit-2.1", "-l:libluajit-5.1.a" },
}

--- Runs a shell command, which must succeed: what it printed.
function embed.succeed(command, ...)
  if select("#", ...) > 0 then command = command:format(...) end
  local text, status = support.shell(command)
  assert(status == 0, command .. "\n" .. text)
  return text
end

--- The folder of the sources of lua-cjson, fetched where they are not there.
function embed.cjson()
  local folder = os.getenv "CJSON_DIR" or "build/lua-cjson"
  embed.succeed("scripts/cjson_source.sh %s", folder)
  return folder
end

--- Makes what is to be embedded, with cjson inside: its folder. `more` are further variables of make.
function embed.make(lua, folder, more)
  embed.succeed("make -s embed LUA=%s SANITIZE=%s EMBED=%s CJSON_DIR=%s %s", lua, SANITIZE, folder, embed.cjson(), more or "")
  return folder
end

--- Links a program: by what fogcloud.pc says, with a static Lua.
function embed.link(lua, folder, source, program, more)
  local include, library = LUAS[lua][1], LUAS[lua][2]
  embed.succeed("${CC:-cc} %s -I%s %s -o %s $(pkg-config --cflags --libs %s/fogcloud.pc) %s -lm -ldl %s", embed.FLAGS, include,
    source, program, folder, library, more or "")
  return program
end

--- A file with a program in C.
function embed.write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

--- A sandbox, a folder of its own and the text of the sandbox's authority, for the specs of a `describe`; `made(sandbox,
--- folder, ca_pem)` gets them.
function embed.beside_sandbox(made)
  local sandbox, folder
  busted.setup(function()
    sandbox, folder = support.start(), embed.succeed("mktemp -d"):match "%S+"
    local file = assert(io.open(sandbox.ca_file))
    made(sandbox, folder, file:read "*a")
    file:close()
  end)
  busted.teardown(function()
    support.shell("rm -rf " .. folder)
    sandbox:stop()
  end)
end

return embed
