-- SPDX-License-Identifier: MIT

--- What the programs that workers.lua starts share: their settings, and the log that all of them write.
local core = require "fogcloud.core"

local worker = {}

--- The settings, a file named on the command line.
function worker.settings(path)
  local settings = dofile(path)
  local log = assert(io.open(settings.folder .. "/log", "a"))
  log:setvbuf "line"
  return settings, function(what, slot, fence) -- notes what happened
    log:write(("%d %s %d %.0f\n"):format(core.pid(), what, slot or 0, fence or 0))
  end
end

function worker.is_there(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

--- Whether this process is to end: the file `stop` is there, or `stop.PID`.
function worker.is_to_end(settings)
  local stop = settings.folder .. "/stop"
  return worker.is_there(stop) or worker.is_there(("%s.%d"):format(stop, core.pid()))
end

return worker
