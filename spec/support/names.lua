-- SPDX-License-Identifier: MIT

--- Runs code in a process whose names are looked up by slow_resolver.c.
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

local names = {}

---@return string output
---@return integer code
function names.run(code)
  local library = os.tmpname()
  local said, status = support.shell(("${CC:-cc} -shared -fPIC -D_GNU_SOURCE -o %s spec/support/slow_resolver.c -ldl")
    :format(library))
  assert(status == 0, said)
  local preload = os.getenv("FOG_LUA") and "FOG_PRELOAD" or "LD_PRELOAD"
  local output, exit = script.run(code, ("env %s=%s %s"):format(preload, library, script.interpreter()))
  os.remove(library)
  return output, exit
end

return names
