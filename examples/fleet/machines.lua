-- SPDX-License-Identifier: MIT

--- "Machines" of the demonstration: network namespaces on one bridge, where this system lets us make them; else this
--- machine alone, whose workers can be killed and stopped, but not cut off.
local machines = {}
machines.__index = machines

local BRIDGE, NET = "fogfleet0", "10.77.44."

local function run(command)
  local pipe = assert(io.popen("(" .. command .. ") 2>&1; echo; echo $?"))
  local text, code = pipe:read("*a"):match "^(.-)\n*(%d+)\n$"
  pipe:close()
  return code == "0", text
end

local function name(i) return "fogfleet" .. i end

-- A pair of interfaces: one end on the bridge, the other, eth0, in the namespace.
local function make(i)
  local ns, outer = name(i), "fogveth" .. i
  return run(table.concat({
    "ip netns add " .. ns, ("ip link add %s type veth peer name eth0 netns %s"):format(outer, ns),
    ("ip link set %s master %s up"):format(outer, BRIDGE),
    ("ip -n %s addr add %s%d/24 dev eth0"):format(ns, NET, 10 + i),
    ("ip -n %s link set eth0 up"):format(ns), ("ip -n %s link set lo up"):format(ns),
  }, " && "))
end

--- Takes away what is there, also what a run that was killed has left.
function machines.remove()
  for i = 1, 9 do run("ip netns del " .. name(i)) end
  run("ip link del " .. BRIDGE)
end

--- So many machines, and the address under which they see this one. `why` says why it is one machine only.
---@param count integer
---@return table
function machines.new(count)
  local self = setmetatable({ count = 1, address = "127.0.0.1" }, machines)
  machines.remove()
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
    machines.remove()
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
function machines.cut(i, on) assert(run(("ip link set fogveth%d %s"):format(i, on and "down" or "up"))) end

return machines
