-- SPDX-License-Identifier: MIT

--- Processes that work together, for specs of leaders and fleets: a folder that they share, with their settings and the
--- log that all of them write. They end with the spec at the latest.
local core = require "fogcloud.core"
local fogcloud = require "fogcloud"
local process = require "fogcloud.sandbox.core"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

local Workers = {}
Workers.__index = Workers

local KILL, CONT = 9, 18

local SETTINGS = [[return {
  options = { base_url = %q, client_id = %q, client_secret = %q, ca_file = %q, store = %q }, app_id = %q, life = %d,
  folder = %q,
}
]]

--- Those that run the program of this name in spec/support/.
function Workers.new(program)
  local folder = support.shell("mktemp -d"):match "%S+"
  return setmetatable({ program = "spec/support/" .. program, folder = folder, pids = {} }, Workers)
end

--- What the next ones are told of the cloud and of the store; `account`: client_id, client_secret and app_id, in the place
--- of the sandbox's own.
function Workers:configure(sandbox, store, life, account)
  local o = account or sandbox:options()
  self:write("settings.lua", SETTINGS:format(sandbox:options().base_url, o.client_id, o.client_secret, sandbox.ca_file, store,
    o.app_id or sandbox.app_id, life, self.folder))
end

function Workers:write(name, text)
  local file = assert(io.open(self.folder .. "/" .. name, "w"))
  file:write(text)
  file:close()
end

--- Starts one, in a host; more words go behind. Its process id.
function Workers:start(host, ...)
  local command = { "/usr/bin/setpriv", "--pdeathsig", "KILL", script.interpreter(), self.program, host,
    self.folder .. "/settings.lua", ... }
  local pid = assert(process.spawn(command, self.folder .. "/out"))
  self.pids[#self.pids + 1] = pid
  return pid
end

--- The lines of the log: { pid, what, slot, fence }.
function Workers:log()
  local lines, file = {}, io.open(self.folder .. "/log")
  if file == nil then return lines end
  for line in file:lines() do
    local pid, what, slot, fence = line:match "^(%d+) (%S+) (%d+) (%d+)$"
    if pid then lines[#lines + 1] = { pid = tonumber(pid), what = what, slot = tonumber(slot), fence = tonumber(fence) } end
  end
  file:close()
  return lines
end

--- The last line of the log that says this; nil without.
function Workers:last(what)
  local found
  for _, line in ipairs(self:log()) do
    if line.what == what then found = line end
  end
  return found
end

--- How many lines of the log say this.
function Workers:count(what)
  local n = 0
  for _, line in ipairs(self:log()) do
    if line.what == what then n = n + 1 end
  end
  return n
end

--- What they wrote to stderr.
function Workers:complaints() return (support.shell(("cat %s/out 2>/dev/null"):format(self.folder))) end

--- Waits until `done()` gives something true, which it returns.
function Workers:wait_for(what, done, seconds)
  local deadline = core.now() + (seconds or 25)
  while core.now() < deadline do
    local result = done()
    if result then return result end
    fogcloud.step(0.05)
  end
  local text = support.shell(("grep -v got: %s/log; cat %s/out"):format(self.folder, self.folder))
  error(("waited in vain for %s\n%s"):format(what, text), 2)
end

--- Ends all of them, those that are stopped, too, and removes the folder.
function Workers:stop()
  for _, pid in ipairs(self.pids) do
    process.kill(pid, CONT)
    process.kill(pid, KILL)
  end
  support.shell("rm -rf " .. self.folder)
end

return Workers
