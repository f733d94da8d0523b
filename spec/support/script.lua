-- SPDX-License-Identifier: MIT

--- Runs Lua code in a process of its own, by the Lua that runs the spec, and gives what it printed and its exit code.
local script = {}

--- The interpreter that runs this spec; FOG_LUA names one that loads a sanitizer first.
function script.interpreter()
  if os.getenv("FOG_LUA") then return os.getenv("FOG_LUA") end
  local i = 0
  while arg[i - 1] ~= nil do i = i - 1 end
  return arg[i]
end

--- The interpreter with a library loaded before all others, behind those of a sanitizer; $CURL_ASKED names `asked`
--- (curl_asked.c).
function script.preloading(library, asked)
  local variable = os.getenv("FOG_LUA") and "FOG_PRELOAD" or "LD_PRELOAD"
  return ("env %s=%s CURL_ASKED=%s %s"):format(variable, library, asked, script.interpreter())
end

--- Runs `code` with `prefix` before the interpreter ("valgrind …", "timeout 5").
---@return string output  of both streams
---@return integer code   124 when it took over 30 s
function script.run(code, interpreter)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(code)
  file:close()
  local command = ("timeout 30 %s %s 2>&1; s=$?; echo; echo $s"):format(interpreter or script.interpreter(), path)
  local pipe = assert(io.popen(command, "r"))
  local output = pipe:read("*a")
  pipe:close()
  os.remove(path)
  local text, status = output:match("^(.*)\n(%d+)\n$")
  return text, tonumber(status)
end

return script
