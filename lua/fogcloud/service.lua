-- SPDX-License-Identifier: MIT

--- What a service manager wants to hear of a program: that it is ready, that it is alive, that it ends. As systemd's
--- sd_notify(3) does it, for Type=notify and WatchdogSec=; where no manager listens (NOTIFY_SOCKET is not set), nothing
--- happens.
local core = require "fogcloud.core"
local folders = require "fogcloud.folders"
local runtime = require "fogcloud.runtime"

local service = {}

--- Tells the manager something: "STATUS=…", or several lines.
---@param text string
---@return boolean? told  false: nobody listens
---@return string? why    it could not be told
function service.notify(text)
  if type(text) ~= "string" then error("text: string expected, got " .. type(text), 2) end
  local path = folders.getenv "NOTIFY_SOCKET"
  if path == nil or path == "" then return false end
  return core.notify(path, text)
end

--- The program is ready: `systemctl start` returns, and what comes after it begins.
---@param status string?  a line that `systemctl status` shows
function service.ready(status)
  return service.notify("READY=1" .. (status and "\nSTATUS=" .. status:gsub("%c", " ") or ""))
end

--- The program has been told to end, and does.
function service.stopping() return service.notify "STOPPING=1" end

-- Half the time after which the manager would restart us; nil when it does not watch this process.
local function interval()
  local microseconds, pid = tonumber(folders.getenv "WATCHDOG_USEC"), folders.getenv "WATCHDOG_PID"
  if microseconds == nil or microseconds <= 0 then return nil end
  if pid and tonumber(pid) ~= core.pid() then return nil end
  return microseconds / 2e6
end

--- Keeps telling the manager that the program is alive, if it wants to know (WatchdogSec=): as long as its loop turns,
--- and `healthy` says so. Does not wait.
---@param healthy (fun(): boolean)?  may not yield; while it is false nothing is told, and the manager restarts us
---@return boolean watched
function service.watch(healthy)
  if healthy ~= nil and type(healthy) ~= "function" then
    error("healthy: function expected, got " .. type(healthy), 2)
  end
  local seconds, host = interval(), runtime.host()
  if seconds == nil then return false end
  host.spawn(function()
    repeat
      if healthy == nil or healthy() then service.notify "WATCHDOG=1" end
    until not host.sleep(seconds)
  end)
  return true
end

return service
