-- SPDX-License-Identifier: MIT

-- A leader's term over a store that fails at will, on a clock that stands still: what becomes of the session, and when.
local Lease = require "fogcloud.store.lease"
local Term = require "fogcloud.store.term"
local errors = require "fogcloud.errors"
local virtual = require "spec.support.virtual"

local LIFE = 9

-- As much of a session as a term needs; notes when what was done to it.
local function new_session(host, log, finish_time)
  local session = {}
  local function note(what) log[#log + 1] = { what, host.now() } end
  function session.resume() note "resumed" end
  function session.close(self)
    if not self.closed then note "closed" end
    self.closed = true
    self.ended = self.ended or errors.new "closed"
  end
  function session.finish(self, timeout)
    note "finishing"
    session.given = timeout
    host.sleep(math.min(timeout, finish_time or 0))
    self.ended = self.ended or errors.new "closed"
    if not self.closed then note "finished" end
    self.closed = true
  end
  return session
end

describe("a leader's term", function()
  local host, store, lease, log, said

  before_each(function()
    host = virtual.host()
    log, said = {}, {}
    store = { calls = 0, released = 0 }
    function store.lease() -- as `answer` says; the store takes `latency` to say it
      store.calls = store.calls + 1
      if store.latency then host.sleep(store.latency) end
      if store.answer == nil then return 7 end
      return store.answer()
    end
    function store.release()
      store.released = store.released + 1
      log[#log + 1] = { "released", host.now() }
    end
    lease = Lease.new(store, "x", LIFE, host)
    assert(lease:take())
  end)

  local function new(start)
    return Term.new { host = host, lease = lease, start = start, complain = function(what) said[#said + 1] = what end }
  end

  -- Runs a term in a task: its reason and when it was over, and what happened, in words.
  local function run(term)
    local outcome = {}
    host.spawn_task(function()
      outcome.reason = term:run()
      outcome.at = host.now()
    end)
    host.run()
    local words = {}
    for _, entry in ipairs(log) do words[#words + 1] = entry[1] end
    outcome.words = table.concat(words, " ")
    return outcome
  end

  local function time_of(what)
    for _, entry in ipairs(log) do
      if entry[1] == what then return entry[2] end
    end
  end

  local function stop_after(term, seconds)
    host.spawn_task(function()
      host.sleep(seconds)
      term:stop()
    end)
  end

  it("gives the session a number, serves it, renews each third of a life, and hands over", function()
    local given
    local term = new(function(fence)
      given = fence
      return new_session(host, log, 2)
    end)
    stop_after(term, 10 * LIFE)
    local outcome = run(term)
    assert.equal(7, given)
    assert.same({ "stopped", "resumed finishing finished released" }, { outcome.reason, outcome.words })
    assert.is_true(store.calls >= 25 and store.calls <= 35, store.calls)
    assert.same({}, said)
    assert.equal(0, lease:left())
  end)

  it("renews once more before it hands over, so that there is time", function()
    local session
    local term = new(function()
      session = new_session(host, log, LIFE)
      return session
    end)
    stop_after(term, 2.9)
    local outcome = run(term)
    assert.equal("stopped", outcome.reason)
    assert.equal(LIFE / 2, session.given)
    assert.is_true(time_of "released" - time_of "finishing" <= LIFE / 2)
  end)

  for name, answer in pairs {
    ["says no more"] = function() return nil, errors.new("timeout", "Redis is silent") end,
    ["fails at once"] = function() return nil, errors.new("network", "refused") end,
  } do
    it("ends its session before its lease when the store " .. name, function()
      local term = new(function() return new_session(host, log, LIFE) end)
      local began = host.now()
      store.answer = answer
      local outcome = run(term)
      assert.same({ "lost", "resumed finishing closed released" }, { outcome.reason, outcome.words })
      assert.is_true(time_of "finishing" - began < LIFE * 0.75)
      assert.is_true(time_of "closed" - began < LIFE * 0.9)
      assert.matches("cannot renew its lease: .*" .. (name == "fails at once" and "refused" or "silent"), said[1])
    end)
  end

  it("ends it in time, too, while a renewal hangs for longer than that", function()
    local term = new(function() return new_session(host, log, LIFE) end)
    local began = host.now()
    store.latency, store.answer = 3 * LIFE, function() return nil, errors.new("timeout", "at last") end
    local outcome = run(term)
    assert.equal("lost", outcome.reason)
    assert.is_true(time_of "closed" - began < LIFE * 0.9)
    assert.matches("cannot renew its lease", said[1])
  end)

  it("counts a slow store's answer from when it was asked", function()
    store.latency = 2
    assert(lease:take())
    assert.equal(LIFE - 2, lease:left())
  end)

  it("goes on when the store comes back in time", function()
    local failures = 1
    store.answer = function()
      failures = failures - 1
      if failures >= 0 then return nil, errors.new("network", "refused") end
      return 7
    end
    local term = new(function() return new_session(host, log) end)
    stop_after(term, 3 * LIFE)
    local outcome = run(term)
    assert.same({ "stopped", "resumed finishing finished released" }, { outcome.reason, outcome.words })
    assert.same({}, said)
  end)

  for name, answer in pairs { ["another has it"] = function() return false end, ["its number is another"] = function() return 8 end } do
    it("closes its session when " .. name, function()
      local term = new(function() return new_session(host, log) end)
      store.answer = answer
      local outcome = run(term)
      assert.equal("lost", outcome.reason)
      assert.matches("^resumed closed", outcome.words)
      assert.matches("taken over", said[1])
    end)
  end

  it("ends when the session does, and says why", function()
    local session = new_session(host, log)
    local term = new(function() return session end)
    host.spawn_task(function()
      host.sleep(2)
      session.ended = errors.new("auth", "the broker refuses the client")
    end)
    local outcome = run(term)
    assert.equal("ended", outcome.reason)
    assert.matches("ended: .*refuses the client", said[1])
    assert.equal(1, store.released)
  end)

  for name, start in pairs {
    ["gives an error"] = function() return nil, errors.new("network", "no broker") end,
    ["throws"] = function() error("no broker", 0) end,
  } do
    it("ends when start " .. name, function()
      local outcome = run(new(start))
      assert.same({ "failed", "released" }, { outcome.reason, outcome.words })
      assert.matches("does not start: .*no broker", said[1])
    end)
  end

  it("has no session of a start that outlives it", function()
    local term = new(function()
      host.sleep(3)
      return new_session(host, log)
    end)
    stop_after(term, 1)
    local outcome = run(term)
    assert.same({ "stopped", "closed released" }, { outcome.reason, outcome.words })
  end)

  it("is for stores that can lease, and for lives that make sense", function()
    for _, wrong in ipairs { {}, { lease = true, release = true }, { lease = print } } do
      assert.has_error(function() Term.check(wrong, 10, 1) end)
    end
    for _, life in ipairs { 0, 0.9, 3601, 0 / 0, "10", {} } do
      assert.has_error(function() Term.check(store, life, 1) end)
    end
    Term.check(store, 1, 1)
    Term.check(store, 3600, 1)
  end)
end)
