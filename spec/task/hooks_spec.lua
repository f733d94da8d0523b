-- SPDX-License-Identifier: MIT

-- A debug hook may throw between any two instructions: lua.c's on Ctrl-C, an embedder's limit. It is tried at each of them.
local Scheduler = require "fogcloud.task.scheduler"
local protect = require "fogcloud.task.protect"

local LIMIT = "the limit on instructions"
local is_jit = rawget(_G, "jit") ~= nil

-- Tasks that sleep, wait for each other and for signals, cancel, and fail; `log` has what came to its end.
local function scenario()
  local now, log, tasks = 0, {}, {}
  local scheduler = Scheduler.new(function() return now end, function(timeout)
    assert(timeout, "waits for ever: a wake-up was lost")
    now = now + timeout
  end, function() end)
  local function spawn(name, fn, internal)
    local task = scheduler:spawn(function() log[name] = { pcall(fn) } end, internal or false)
    if protect.must_try then -- Lua 5.1 does not yield through pcall
      task.fn = function() log[name] = { protect.call(fn) } end
    end
    tasks[name] = task
    return task
  end
  local gate = scheduler:waiter()
  spawn("sleeper", function()
    for _ = 1, 3 do scheduler:sleep(1) end
  end)
  spawn("waiter", function() return gate:wait() end)
  spawn("opener", function()
    scheduler:sleep(1.5)
    gate:signal()
  end, true)
  local slow = spawn("slow", function() scheduler:sleep(2) end)
  spawn("joiner", function() return slow:wait() end)
  local lasting = spawn("cancelled", function() return scheduler:sleep(1000) end)
  spawn("canceller", function()
    scheduler:sleep(0.5)
    lasting:cancel()
  end)
  return scheduler, log, tasks
end

local NAMES = { "sleeper", "waiter", "opener", "slow", "joiner", "cancelled", "canceller" }

-- Serves until no task is left, whatever a turn throws; how many turns threw.
local function serve(scheduler)
  local thrown = 0
  for _ = 1, 200 do
    if not scheduler:busy() then return thrown end
    local ok, err = pcall(scheduler.turn, scheduler, nil, true)
    if not ok then
      thrown = thrown + 1
      assert(tostring(err):find(LIMIT, 1, true), err)
    end
  end
  error "the tasks do not come to their end"
end

-- Throws once, at the nth instruction of the running coroutine (LuaJIT: of any).
local function arm(n, state, co)
  local function throw()
    if co then debug.sethook(co) else debug.sethook() end
    if state.over then return end
    state.thrown = true
    error(LIMIT, 0)
  end
  if co then debug.sethook(co, throw, "", n) else debug.sethook(throw, "", n) end
end

local function check(n, scheduler, log, damaged)
  debug.sethook()
  for _, name in ipairs(NAMES) do
    local outcome = log[name]
    if not damaged then assert(outcome, ("%s is lost, thrown at %d"):format(name, n)) end
    if outcome and not outcome[1] then
      assert(tostring(outcome[2]):find(LIMIT, 1, true), ("%s: %s, at %d"):format(name, tostring(outcome[2]), n))
    end
  end
  assert(not scheduler:in_task() and not scheduler:busy(), "left in a task, at " .. n)
  -- And all is as it was: a new task sleeps its time and ends.
  local before, slept = scheduler.now(), nil
  scheduler:spawn(function()
    scheduler:sleep(7)
    slept = scheduler.now() - before
  end, false)
  assert.equal(0, serve(scheduler))
  assert.equal(7, slept)
  assert(next(scheduler.parked) == nil and next(scheduler.entered) == nil, "something is left, at " .. n)
end

-- Tries it at each instruction until it is not reached any more.
local function at_each(try)
  local n, step = 1, 1
  while try(n) do
    assert(n < 1e6, "no end")
    n = n + step
  end
  assert(n > 300, "nothing was tried: " .. n)
end

local function ended(outcome) return outcome and outcome[1] end

describe("a hook that throws", function()
  before_each(function() -- a task of ours that dies of it says so
    require("fogcloud.log").to(function() end)
  end)
  after_each(function()
    debug.sethook()
    protect.take_interrupt()
    require("fogcloud.log").to(nil)
  end)

  it("anywhere in the scheduler loses no task and no wake-up", function()
    at_each(function(n)
      local scheduler, log = scenario()
      local state = {}
      local ok, why = pcall(function()
        arm(n, state)
        serve(scheduler)
        debug.sethook()
      end)
      state.over = true
      debug.sethook()
      if not ok and tostring(why):find(LIMIT, 1, true) then -- thrown in here and not in a turn
        ok, why = pcall(serve, scheduler)
      end
      if not ok then
        assert(is_jit and not (ended(log.opener) and ended(log.canceller)), ("%s, at %d"):format(tostring(why), n))
        assert(tostring(why):find("waits for ever", 1, true), why)
        return state.thrown -- for what a task was to do that was hit
      end
      check(n, scheduler, log, is_jit) -- whose hook is in the tasks too
      return state.thrown
    end)
  end)

  if not is_jit then
    it("anywhere in a task ends that task at most", function()
      for _, hit in ipairs(NAMES) do
        local reached = 0
        for n = 1, 400 do
          local scheduler, log, tasks = scenario()
          local state = {}
          arm(n, state, tasks[hit].co)
          local ok, err = pcall(serve, scheduler)
          state.over = true
          if state.thrown then reached = reached + 1 end
          if ok then
            for _, name in ipairs(NAMES) do
              if name ~= hit and log[name] == nil then error(("%s is lost, thrown at %d in %s"):format(name, n, hit)) end
            end
            check(n, scheduler, log, true)
          else -- who waits for a signal that never came waits for ever
            assert(hit == "opener" or hit == "canceller", ("%s at %d in %s"):format(tostring(err), n, hit))
          end
          if not state.thrown then break end
        end
        assert(reached > 10, ("%s: %d"):format(hit, reached))
      end
    end)
  end

  it("anywhere in a step loses no reply", function()
    local fogcloud = require "fogcloud"
    local scheduler = require("fogcloud.host.plain").scheduler
    local RawServer = require "spec.support.raw_server"
    local server = RawServer.start()
    local cloud = fogcloud.new { base_url = server:url "cloud", client_id = "i", client_secret = "s", timeout = 8,
      attempt_timeout = 8, random = function() return 0 end }
    assert(cloud:token())
    local began, hit = scheduler.now(), 0
    at_each(function(n)
      local list, err, state = nil, nil, {}
      local task = fogcloud.spawn(function() list, err = cloud:products() end)
      local function steps()
        while not task.done do fogcloud.step(1) end
      end
      local ok, why = pcall(function()
        arm(n, state)
        steps()
        debug.sethook()
      end)
      state.over = true
      debug.sethook()
      if not ok then
        assert(tostring(why):find(LIMIT, 1, true), why)
        steps()
      end
      if state.thrown then hit = hit + 1 end
      local told = tostring(err or not task.ok and task.results[1])
      assert(list or (is_jit and told:find(LIMIT, 1, true)), ("%s, thrown at %d"):format(told, n))
      assert(scheduler.now() - began < 100, "replies are lost and waited for")
      return state.thrown
    end)
    server:stop()
    assert(hit > 300, hit)
  end)
end)
