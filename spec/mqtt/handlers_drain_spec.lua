-- SPDX-License-Identifier: MIT

-- When a message counts as handled, and who waits for the handlers.
local Crew = require "spec.support.crew"

describe("a session's handlers", function()
  local crew, host, handle, handlers, log

  local function make(max_runners)
    crew, log = Crew.new(max_runners), {}
    host, handle, handlers = crew.host, crew.handle, crew.handlers
  end

  before_each(function() make() end)

  local function come(...) crew:come(...) end
  local function turn() crew:turn() end
  local function serve() crew:serve() end
  local function pass(seconds) crew:pass(seconds) end

  local function note(_, payload) log[#log + 1] = payload end

  local function note_and_sleep(_, payload)
    log[#log + 1] = payload
    host.sleep(10)
    log[#log + 1] = payload .. " done"
  end

  -- What a session with acknowledge = "handled" acknowledges.
  describe("give a message's number back", function()
    it("once each has come to its end, in whatever order", function()
      handlers.router:add("slow", note_and_sleep)
      handlers.router:add("quick", note)
      come("slow", "", 1, nil, 11)
      come("quick", "", 1, nil, 12)
      come("quick", "", 1, nil, 13)
      serve()
      assert.same({ 12, 13 }, handle.given_back)
      pass(10)
      assert.same({ 12, 13, 11 }, handle.given_back)
    end)

    it("when it threw, and when nobody's filter matches", function()
      handlers.router:add("bad", function() error "bad" end)
      come("bad", "", 1, nil, 1)
      come("nobody's", "", 1, nil, 2)
      come("bad", "", 1, nil, 3)
      serve()
      assert.same({ 1, 2, 3 }, handle.given_back)
    end)

    it("before a listener is called, which may take long", function()
      handlers:listen("connect", function() host.sleep(10) end)
      handlers.router:add("a", function() handlers:notify("connect", {}) end)
      come("a", "", 1, nil, 1)
      serve()
      assert.same({ 1 }, handle.given_back)
      assert.equal(1, handlers:at_work())
    end)

    it("when it is time for others", function()
      make(1)
      handlers.router:add("#", note)
      for i = 1, 1001 do come("a", i, 1, nil, i) end
      handlers:wake()
      turn()
      assert.same({ 1000, 1 }, { #log, #handle.inbox })
      serve()
      assert.equal(1001, #handle.given_back)
      for i = 1, 1001 do assert.equal(i, handle.given_back[i]) end
    end)

    it("before another runner goes on in their stead", function()
      handlers.router:add("#", note)
      for i = 1, 1001 do come("a", i, 1, nil, i) end
      handlers:wake()
      turn()
      assert.same({ 1000, 1000 }, { #log, #handle.given_back })
    end)

    it("when the session was closed meanwhile", function()
      handlers.router:add("#", note_and_sleep)
      come("a", "", 1, nil, 1)
      serve()
      handlers:close()
      come("a", "", 1, nil, 2)
      pass(10)
      assert.same({ { 1 }, 1, 0 }, { handle.given_back, #handle.inbox, handlers.runners })
    end)
  end)

  describe("are waited for", function()
    local function drain(deadline)
      local result = {}
      local task = host.spawn_task(function() result[1] = { handlers:drain(deadline) } end)
      return result, task
    end

    it("until none is at work and all is taken", function()
      make(1)
      handlers.router:add("#", note_and_sleep)
      come("a", "1")
      come("a", "2")
      local result = drain()
      serve()
      assert.is_nil(result[1])
      pass(10)
      assert.is_nil(result[1])
      pass(10)
      assert.same({ true }, result[1])
    end)

    it("also where nobody has come to take anything yet", function()
      handlers.router:add("#", note)
      come("a", "1")
      local result = drain()
      turn()
      assert.is_nil(result[1])
      serve()
      assert.same({ { true }, { "1" } }, { result[1], log })
    end)

    it("until the deadline, or until the one who waits is cancelled", function()
      handlers.router:add("#", note_and_sleep)
      come("a", "1")
      serve()
      local late = drain(host.now() + 5)
      pass(5)
      assert.same({ false }, late[1])
      local cancelled, task = drain()
      serve()
      task:cancel()
      serve()
      assert.equal(1, #cancelled)
      assert.is_nil(cancelled[1][1])
    end)

    it("until the session is closed", function()
      handlers.router:add("#", note_and_sleep)
      come("a", "1")
      serve()
      local result = drain()
      serve()
      assert.is_nil(result[1])
      handlers:close()
      serve()
      assert.same({ true }, result[1])
    end)

    it("until all is taken only, where that is asked for", function()
      make(2)
      handlers.router:add("#", note_and_sleep)
      for i = 1, 3 do come("a", tostring(i)) end
      local taken = false
      host.spawn_task(function()
        handlers:drain_taken()
        taken = host.now()
      end)
      local since = host.now()
      serve()
      assert.is_false(taken) -- both runners are at work, and one message waits
      pass(30)
      assert.is_true(taken and taken > since)
      assert.equal("3 done", log[#log])
    end)

    it("until the session is closed, where it takes nothing more", function()
      local over
      handlers.paused = true
      come("a", "1")
      host.spawn_task(function()
        handlers:drain_taken()
        over = true
      end)
      serve()
      assert.is_nil(over)
      handlers:close()
      serve()
      assert.same({ true, 1 }, { over, #handle.inbox })
    end)

    it("without those that wait for them", function()
      handlers.router:add("#", function()
        host.sleep(1)
        handlers:excuse(host.sleep, 5)
      end)
      come("a", "1")
      serve()
      local result = drain()
      serve()
      assert.is_nil(result[1])
      pass(1)
      assert.same({ true }, result[1])
      pass(5)
      assert.same({ 0, 0 }, { handlers.excused, handlers:at_work() })
    end)

    it("by one of them, which waits for the others and not for itself", function()
      handlers.router:add("slow", note_and_sleep)
      handlers.router:add("end", function()
        local drained = handlers:excuse(handlers.drain, handlers)
        log[#log + 1] = tostring(drained)
        log[#log + 1] = handlers:at_work()
        host.sleep(1)
      end)
      come("slow", "1", 1, nil, 1)
      come("end", "", 1, nil, 2)
      serve()
      assert.same({ { 2 }, { "1" } }, { handle.given_back, log }) -- its message counts as handled
      pass(10)
      assert.same({ "1", "1 done", "true", 1 }, log) -- it is at work again
      pass(1)
      assert.same({ { 2, 1 }, 0 }, { handle.given_back, handlers:at_work() })
    end)

    it("by somebody else without an excuse, who gets what his function gives", function()
      assert.is_nil(handlers:inside())
      assert.same({ false, "why" }, { handlers:excuse(function(a, b) return a, b end, false, "why") })
      assert.equal(0, handlers.excused)
    end)
  end)
end)
