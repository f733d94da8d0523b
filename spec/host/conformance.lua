-- SPDX-License-Identifier: MIT

--- What a host promises (lua/fogcloud/host/init.lua), case by case, for any adapter and any runner. A case raises
--- when the promise is not kept.
local fogcloud = require "fogcloud"
local protect = require "fogcloud.task.protect"
local runtime = require "fogcloud.runtime"

local cases = {}

local function equal(expected, got)
  if expected ~= got then error(("%s expected, got %s"):format(tostring(expected), tostring(got)), 2) end
end

function cases.signal_before_wait(_, host)
  local waiter = host.waiter()
  waiter:signal()
  waiter:signal()
  equal(true, waiter:wait(host.now()))
  equal(false, waiter:wait(host.now())) -- kept, not counted
end

function cases.signal_while_waiting(_, host)
  for _ = 1, 50 do
    local waiter = host.waiter()
    host.spawn(function() waiter:signal() end)
    equal(true, waiter:wait(host.now() + 10))
    equal(false, waiter:wait(host.now()))
  end
end

function cases.deadline_is_never_early(_, host)
  for i = 1, 20 do
    local deadline = host.now() + i / 2000
    equal(false, host.waiter():wait(deadline))
    equal(true, host.now() >= deadline)
  end
  local before = host.now()
  equal(true, host.sleep(0.0004))
  equal(true, host.now() - before >= 0.0004)
  equal(true, host.sleep(0))
end

function cases.signal_at_the_deadline(_, host)
  for _ = 1, 20 do
    local waiter, deadline = host.waiter(), host.now() + 0.002
    host.spawn(function()
      host.waiter():wait(deadline)
      waiter:signal()
    end)
    equal(true, waiter:wait(deadline) or waiter:wait(host.now() + 10)) -- never lost
  end
end

function cases.cancelled_while_and_before_waiting(_, host)
  local results = {}
  local function wait()
    local waiter = host.waiter()
    local woken, why = waiter:wait()
    results[#results + 1] = tostring(woken) .. " " .. tostring(why)
    woken, why = host.sleep(10) -- and so do all its later waits
    results[#results + 1] = tostring(woken) .. " " .. tostring(why)
  end
  local waiting = fogcloud.spawn(wait)
  host.sleep(0.01)
  waiting:cancel()
  waiting:cancel()
  local fresh = fogcloud.spawn(wait)
  fresh:cancel()
  equal(true, (waiting:wait(10)))
  local ok, why = fresh:wait(10)
  equal(nil, ok)
  equal("cancelled", why)
  equal("nil cancelled,nil cancelled", table.concat(results, ","))
end

function cases.many_waiters(_, host)
  local waiters, woken = {}, 0
  for i = 1, 100 do
    waiters[i] = host.waiter()
    host.spawn(function()
      if waiters[i]:wait(host.now() + 10) then woken = woken + 1 end
    end)
  end
  host.sleep(0.05)
  for i = 100, 1, -1 do waiters[i]:signal() end
  local deadline = host.now() + 10
  while woken < 100 and host.now() < deadline do host.sleep(0.005) end
  equal(100, woken)
end

function cases.arguments_and_results(_, host)
  local seen
  host.spawn(function(...) seen = select("#", ...) end, nil, 2, nil)
  local ok, a, b, c = fogcloud.spawn(function(...) return ... end, nil, 2, nil):wait(10)
  equal(3, seen)
  equal(true, ok and a == nil and b == 2 and c == nil)
end

function cases.a_task_that_waits_no_longer(_, host)
  local gate = host.waiter()
  local task = fogcloud.spawn(function() return gate:wait(host.now() + 20) end)
  local ok, why = task:wait(0.01)
  equal(nil, ok)
  equal("timeout", why)
  gate:signal()
  equal(true, (task:wait(10)))
  equal(true, (task:wait(10))) -- again
end

function cases.error_in_a_handler(account, host)
  local session, device = account.session(), account.device()
  local handled, errors = 0, {}
  session:on("error", function(err) errors[#errors + 1] = tostring(err) end)
  assert(session:subscribe("d2c/dev1/n", 1, function(_, payload)
    if payload == "bad" then error("this one throws") end
    handled = handled + 1
  end))
  for _, payload in ipairs { "1", "bad", "2" } do assert(device:publish("d2c/dev1/n", payload, { qos = 1 })) end
  local deadline = host.now() + 10
  while (handled < 2 or #errors < 1) and host.now() < deadline do host.sleep(0.005) end
  equal(2, handled)
  equal(1, #errors)
  equal(true, errors[1]:find("this one throws", 1, true) ~= nil)
  session:close()
  device:close()
end

function cases.calls_in_a_handler(account, host)
  local session, device = account.session(), account.device()
  local found
  assert(session:subscribe("d2c/dev1/n", 1, function()
    local products = assert(account.cloud():products())
    assert(session:subscribe("d2c/dev1/other", 1, function(_, payload) found = payload .. #products end))
    assert(device:publish("d2c/dev1/other", "products: ", { qos = 1 }))
  end))
  assert(device:publish("d2c/dev1/n", "go", { qos = 1 }))
  local deadline = host.now() + 10
  while found == nil and host.now() < deadline do host.sleep(0.005) end
  equal("products: 2", found)
  session:close()
  device:close()
end

function cases.close_while_waiting(account, host)
  local session = account.session()
  local kind
  local task = fogcloud.spawn(function()
    for i = 1, 5000 do assert(session:publish("c2d/dev1/n", tostring(i), { qos = 1 })) end
    kind = select(2, session:flush(20)).kind
  end)
  while session:stats().accepted < 5000 do host.sleep(0.001) end
  session:close()
  session:close()
  equal(true, (task:wait(10)))
  equal("closed", kind)
end

-- Where Lua cannot yield: functions that call theirs from C. PUC Lua 5.1 has more of them.
local is_plain_51 = protect.is_plain_51
local UNYIELDING = {
  sort = function(fn) table.sort({ 2, 1, 3 }, function(a, b) fn() return a < b end) end,
  gsub = function(fn) string.gsub("a", "a", function() fn() end) end,
}
local package = rawget(_G, "package") -- some states have none
if package then
  function UNYIELDING.require(fn)
    package.preload["fogcloud.spec.unyielding"] = function() fn() return true end
    package.loaded["fogcloud.spec.unyielding"] = nil
    require "fogcloud.spec.unyielding"
  end
end
if is_plain_51 then
  function UNYIELDING.pcall(fn) assert(pcall(fn)) end
  function UNYIELDING.metamethod(fn)
    return setmetatable({}, { __index = function() fn() return 1 end }).field
  end
  function UNYIELDING.iterator(fn)
    local first = true
    for _ in function()
      if not first then return nil end
      first = false
      fn()
      return 1
    end do first = false end
  end
end

-- Counts the requests that are sent meanwhile: each is waited for.
local function requests(fn)
  local waiting, sent = runtime.pump().waiting, 0
  setmetatable(waiting, { __newindex = function(_, id, call)
    sent = sent + 1
    rawset(waiting, id, call)
  end })
  fn()
  setmetatable(waiting, nil)
  return sent
end

-- pcall, through which Lua 5.1 does not yield either, but in a coroutine of its own, through which it does.
local function attempt(fn, ...)
  if is_plain_51 then return protect.call(fn, ...) end
  return pcall(fn, ...)
end

function cases.a_call_where_lua_cannot_yield(account, host)
  local cloud = account.cloud()
  assert(cloud:token())
  for name, call in pairs(UNYIELDING) do
    local ok, err, products
    local sent = requests(function()
      ok, err = attempt(call, function() products = products or cloud:products() end)
    end)
    if ok then
      equal(2, #products)
      equal("plain", host.name)
    else
      equal(0, sent)
      local told = tostring(err):find("cannot wait here", 1, true) or tostring(err):find("attempt to yield", 1, true)
      equal(true, told ~= nil)
    end
    local before = host.now()
    host.sleep(0.05)
    equal(true, host.now() - before >= 0.05, name)
    equal(2, #assert(cloud:products()))
  end
end

function cases.a_wait_that_raised_wakes_no_other(_, host)
  for _, call in pairs(UNYIELDING) do
    local late = host.waiter()
    local function wait() late:wait(host.now() + 0.03) end
    attempt(call, wait)
    host.spawn(function()
      host.sleep(0.01)
      late:signal()
    end)
    local before = host.now()
    host.sleep(0.1)
    equal(true, host.now() - before >= 0.1)
    equal(false, host.waiter():wait(host.now() + 0.05))
  end
end

function cases.a_yield_of_the_programs_own_is_left_alone(_, host)
  if host.name ~= "plain" and host.name ~= "luv" and host.name ~= "glib" then return end -- what is yielded is the loop's
  local mine, resumed
  local late = host.waiter()
  local task = fogcloud.spawn(function()
    local waiter = host.waiter()
    late.signal_other = function() waiter:signal() end
    for _, call in pairs(UNYIELDING) do attempt(call, function() waiter:wait(host.now() + 0.03) end) end
    mine = coroutine.running()
    while protect.parent[mine] do mine = protect.parent[mine] end
    resumed = coroutine.yield("mine")
  end)
  while mine == nil do host.sleep(0.01) end
  late.signal_other()
  host.sleep(0.1)
  equal(nil, resumed)
  task:cancel()
  host.sleep(0.02)
  equal("suspended", coroutine.status(mine))
  assert(coroutine.resume(mine, true))
  equal(true, resumed and task.done)
end

--- The names of all cases, in order.
function cases.names()
  local names = {}
  for name in pairs(cases) do
    if name ~= "run" and name ~= "names" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

--- Runs one case; "ok", or what went wrong.
---@param name string
---@param account table  cloud(), session(), device(): each makes one of the sandbox's
function cases.run(name, account)
  local ok, err = protect.call(cases[name], account, runtime.host())
  return ok and "ok" or tostring(err)
end

return cases
