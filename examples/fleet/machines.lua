-- SPDX-License-Identifier: MIT

--- "Machines" of the demonstration: network namespaces on one bridge, where this system lets us make them; else this
--- machine alone, whose workers can be killed and stopped, but not cut off.
local core = require "fogcloud.core"

local machines = {}
machines.__index = machines

-- Named after this process, so that two runs do not meet.
local PID = core.pid()
local BRIDGE, NET = "fgb" .. PID, ("10.77.%d."):format(PID % 250)

local function run(command)
  local pipe = assert(io.popen("(" .. command .. ") 2>&1; echo; echo $?"))
  local text, code = pipe:read("*a"):match "^(.-)\n*(%d+)\n$"
  pipe:close()
  return code == "0", text
end

local function name(i) return ("fogfleet-%d-%d"):format(PID, i) end

local function link(i) return ("fgv%d-%d"):format(PID, i) end

-- A pair of interfaces: one end on the bridge, the other, eth0, in the namespace.
local function make(i)
  local ns, outer = name(i), link(i)
  return run(table.concat({
    "ip netns add " .. ns, ("ip link add %s type veth peer name eth0 netns %s"):format(outer, ns),
    ("ip link set %s master %s up"):format(outer, BRIDGE),
    ("ip -n %s addr add %s%d/24 dev eth0"):format(ns, NET, 10 + i),
    ("ip -n %s link set eth0 up"):format(ns), ("ip -n %s link set lo up"):format(ns),
  }, " && "))
end

-- What a run that was killed has left.
local function clean_up()
  local _, list = run "ip netns list"
  for ns, pid in list:gmatch "(fogfleet%-(%d+)%-%d+)" do
    if not core.alive(tonumber(pid)) then run(("ip netns del %s; ip link del fgb%s"):format(ns, pid)) end
  end
end

--- Takes them away.
function machines:remove()
  for i = 1, self.count do run("ip netns del " .. name(i)) end
  run("ip link del " .. BRIDGE)
end

--- So many machines, and the address under which they see this one. `why` says why it is one machine only.
---@param count integer
---@return table
function machines.new(count)
  local self = setmetatable({ count = 1, address = "127.0.0.1" }, machines)
  clean_up()
  if count == 1 then
    self.why = "one was asked for"
    return self
  end
  local command = "ip link add %s type bridge && ip addr add %s1/24 dev %s && ip link set %s up"
  local ok, why = run(command:format(BRIDGE, NET, BRIDGE, BRIDGE))
  for i = 1, count do
    if ok then ok, why = make(i) end
  end
  if not ok then
    machines.remove { count = count }
    self.why = why:match "[^\n]+"
    return self
  end
  self.count, self.address, self.real = count, NET .. "1", true
  return self
end

--- The words that run a command on machine i, before the command's own.
function machines:prefix(i)
  if not self.real then return {} end
  return { "ip", "netns", "exec", name((i - 1) % self.count + 1) }
end

--- Pulls the plug of machine i, or puts it in again: nobody is told of either.
function machines.cut(i, on) assert(run(("ip link set %s %s"):format(link(i), on and "down" or "up"))) end

return machines
