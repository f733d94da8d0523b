-- SPDX-License-Identifier: MIT

--- One call for each of many ids: several in flight over kept connections, as many as the server bears.
--
-- The number in flight starts low, grows by one with every round that goes well and is halved when the server says
-- that it is too much (429, 5xx, 10050) or falls silent. Only those in flight cost memory, beside one entry per id.
local check = require "fogcloud.check"
local errors = require "fogcloud.errors"
local protect = require "fogcloud.task.protect"

local bulk = {}

---@class (exact) fogcloud.BulkOptions
---@field concurrency integer?  calls in flight at most, default 16, at most 256
---@field progress (fun(done: integer, total: integer, failed: integer))?  called now and then, in the caller's task
---@field each (fun(id: string, err: fogcloud.Error?))?  called once for each id that is done, in the caller's task,
---                             before the progress that counts it
---@field timeout number?       seconds for each id, with all its attempts; default the cloud's

local DEFAULT_MAX, MAX, START = 16, 256, 4
local FIRST_PAUSE, LAST_PAUSE = 0.5, 10

local SPEC = { concurrency = "number", progress = "function", each = "function", timeout = "number" }

local function out_of_range(options)
  local most, seconds = options.concurrency, options.timeout
  if most ~= nil and not (most >= 1 and most <= MAX) then
    return ("bulk option 'concurrency': 1 to %d expected"):format(MAX)
  end
  if seconds ~= nil and (seconds ~= seconds or seconds < 0) then
    return "bulk option 'timeout': a number of seconds, not negative, expected"
  end
  return nil
end

--- Raises unless these are options of a bulk call.
---@param options fogcloud.BulkOptions?
---@param default number  seconds, where the options say none
---@param level integer
---@return fogcloud.BulkOptions  a copy
function bulk.check(options, default, level)
  if options == nil then return { timeout = default } end
  local wrong = check.options(SPEC, options, "bulk") or out_of_range(options)
  if wrong then error(wrong, level + 1) end
  return {
    concurrency = options.concurrency, progress = options.progress, each = options.each,
    timeout = options.timeout or default,
  }
end

local function is_overload(err)
  return err.status == 429 or (err.status or 0) >= 500 or err.code == 10050 or err.kind == "timeout"
end

-- One overload is met by many at once: the next halving waits for as many outcomes as were in flight.
local function slow_down(job, err)
  if not is_overload(err) or job.done < job.hold then return end
  job.hold = job.done + job.active
  job.limit = math.max(1, job.limit / 2)
end

local function note(job, index, ok, err)
  job.results[index] = ok and true or err
  job.done = job.done + 1
  job.settled[job.done] = index
  if ok then
    job.limit = math.min(job.max, job.limit + 1 / job.limit)
  else
    job.failed = job.failed + 1
    job.first_error = job.first_error or err
  end
end

-- One id. A call has few repetitions of its own, and the cloud's budget for them is soon spent when many calls meet the
-- same overload; here the worker waits, which slows the whole job down, and calls again while the id's time lasts.
local function settle(job, id)
  local now, pause = job.host.now, FIRST_PAUSE
  local deadline = now() + job.timeout
  while true do
    local ok, err = job.one(id, job.observe, deadline - now())
    if ok or job.stopped or not is_overload(err) then return ok, err end
    local wait = math.max(err.retry_after or 0, pause)
    if now() + wait >= deadline or not job.host.sleep(wait) then return nil, err end
    pause = math.min(2 * pause, LAST_PAUSE)
  end
end

local function take(job)
  local index = job.next
  job.next = index + 1
  return index
end

-- Works on until there are too many workers or nothing is left.
local function worker(job, first)
  local index = first
  while true do
    local ok, err = settle(job, job.ids[index])
    if job.stopped and not ok then break end
    note(job, index, ok, err)
    job.waiter:signal()
    if job.stopped or job.next > job.total or job.active > math.floor(job.limit) then break end
    index = take(job)
  end
  job.tasks[first] = nil
  job.active = job.active - 1
end

local function fill(job, spawn)
  while job.active < math.floor(job.limit) and job.next <= job.total do
    job.active = job.active + 1
    local first = take(job)
    job.tasks[first] = spawn(worker, job, first)
  end
end

-- Ends what is in flight, where the host's tasks can be ended; elsewhere they end by themselves, unheard.
local function stop(job)
  job.stopped = true
  for _, task in pairs(job.tasks) do
    if type(task) == "table" and type(task.cancel) == "function" then task:cancel() end
  end
end

local function outcome(job, name, cancelled)
  if job.failed == 0 and not cancelled then return job.results end
  local fields = { endpoint = name, results = job.results, retryable = true }
  if cancelled then
    return nil, errors.new("cancelled", ("cancelled after %d of %d"):format(job.done, job.total), fields)
  end
  local text = ("%d of %d failed; the first: %s"):format(job.failed, job.total, tostring(job.first_error))
  return nil, errors.new(job.first_error.kind, text, fields)
end

local function tell_all(job, options)
  while options.each and job.told < job.done do
    job.told = job.told + 1
    local index = job.settled[job.told]
    job.settled[job.told] = nil
    local result = job.results[index]
    options.each(job.ids[index], result ~= true and result or nil)
  end
  if options.progress then options.progress(job.done, job.total, job.failed) end
end

-- Tells of what was settled since the last time, in the caller's own coroutine. An error of the caller's functions ends
-- the job.
local function tell(job, options)
  local ok, why = pcall(tell_all, job, options)
  if ok then return end
  stop(job)
  error(why, 0)
end

-- Until all is done, true; or until the task is cancelled. An error that comes up while it waits ends the job too.
local function await(job, options)
  local waiter = job.waiter
  local function give_up() stop(job) end
  while job.done < job.total do
    fill(job, job.host.spawn)
    if protect.guard(give_up, waiter.wait, waiter, nil) == nil then
      stop(job)
      tell(job, options)
      return false
    end
    tell(job, options)
  end
  return true
end

--- Calls `one(id, observe)` for each id and waits for all; an error that comes up meanwhile, of the caller's functions
--- or Ctrl-C, ends the job. Yields in a task, blocks elsewhere. Safe to repeat when
--- `one` is.
---@param host table
---@param name string     for the error
---@param ids string[]    not changed meanwhile
---@param one fun(id: string, observe: fun(err: fogcloud.Error), timeout: number): any, fogcloud.Error?  tells
---                       `observe` of every attempt that failed
---@param options fogcloud.BulkOptions  with timeout
---@return table? results  true per id, in the order given
---@return fogcloud.Error? err  when any failed or the task was cancelled; err.results has true, an error, or nil
---                             (not tried) per id
function bulk.run(host, name, ids, one, options)
  local max = math.floor(options.concurrency or DEFAULT_MAX)
  local job = {
    host = host, ids = ids, one = one, timeout = options.timeout, total = #ids, results = {}, next = 1, done = 0,
    failed = 0, active = 0, hold = 0, settled = {}, told = 0, max = max,
    limit = math.min(START, max), tasks = {}, waiter = host.waiter(),
  }
  function job.observe(err) slow_down(job, err) end
  return outcome(job, name, not await(job, options))
end

return bulk
