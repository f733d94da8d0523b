-- SPDX-License-Identifier: MIT

-- Who runs the user's handlers, when, and for how long at once.
local Crew = require "spec.support.crew"
local errors = require "fogcloud.errors"

describe("a session's handlers", function()
  local crew, host, handle, handlers, log, note, note_and_sleep
  local make, come, turn, serve, pass = Crew.for_each(function(made)
    crew, host, handle, handlers, log = made, made.host, made.handle, made.handlers, made.log
    note, note_and_sleep = made.note, made.note_and_sleep
  end)

  describe("run", function()
    it("in the order of the messages, with what is said of each", function()
      handlers.router:add("a/+", function(topic, payload, message)
        log[#log + 1] = { topic, payload, message.qos, message.retained, message.dup, message.properties }
      end)
      come("a/1", "x", 1)
      come("b/1", "nobody's")
      come("a/2", "y", 2 + 4 + 8)
      serve()
      assert.same({ { "a/1", "x", 1, false, false }, { "a/2", "y", 2, true, true } }, log)
    end)

    it("while another waits, but no more than max_runners", function()
      make(2)
      handlers.router:add("#", note_and_sleep)
      for i = 1, 3 do come("a", tostring(i)) end
      serve()
      assert.same({ "1", "2" }, log)
      assert.same({ 1, 2, 2 }, { #handle.inbox, handlers.runners, handlers:at_work() })
      pass(10)
      assert.same({ "1", "2", "1 done", "2 done", "3" }, log)
      pass(10)
      assert.same({ "3 done", 0, 2 }, { log[6], handlers:at_work(), handlers.runners }) -- they wait for more
    end)

    it("not at all while the session is paused, nor once it is closed", function()
      handlers.router:add("#", note)
      handlers.paused = true
      come("a", "1")
      serve()
      assert.same({}, log)
      handlers.paused = nil
      serve()
      assert.same({ "1" }, log)
      handlers:close()
      come("a", "2")
      serve()
      assert.same({ { "1" }, 0 }, { log, handlers.runners })
    end)

    for runners, whom in pairs { [1] = "others", [2] = "another runner, and others" } do
      it("a thousand times before it is the turn of " .. whom, function()
        make(runners)
        handlers.router:add("#", note)
        for i = 1, 2500 do come("a", i) end
        handlers:wake()
        turn()
        assert.equal(1000, #log)
        serve()
        assert.equal(2500, #log)
        for i = 1, 2500 do assert.equal(i, log[i]) end
      end)

      it("for 5 ms before it is the turn of " .. whom, function()
        make(runners)
        handlers.router:add("#", function(_, payload)
          log[#log + 1] = payload
          host.clock.mono = host.clock.mono + 0.006
        end)
        for i = 1, 5 do come("a", i) end
        handlers:wake()
        turn()
        assert.same({ 1 }, log)
        serve()
        assert.same({ 1, 2, 3, 4, 5 }, log)
      end)
    end

    it("16 times at most between two looks at the clock", function()
      local slow
      handlers.router:add("#", function(_, payload)
        log[#log + 1] = payload
        slow = slow or payload > 200
        if slow then host.clock.mono = host.clock.mono + 1 end
      end)
      for i = 1, 400 do come("a", i) end
      handlers:wake()
      turn()
      assert.is_true(#log > 200 and #log <= 216, tostring(#log))
      local before = #log
      turn()
      assert.equal(before + 1, #log) -- now it looks after each
    end)
  end)

  describe("that throw", function()
    local function throw(_, payload) error("bad " .. payload, 0) end

    it("tell who listens for errors, and those after them run", function()
      handlers:listen("error", function(err) log[#log + 1] = tostring(err):match("^[^\n]*") end)
      handlers.router:add("a", throw)
      handlers.router:add("#", note)
      come("a", "1") -- two handlers
      come("b", "2")
      serve()
      table.sort(log)
      assert.same({ "1", "2", "bad 1" }, log)
      assert.same({ {}, 1, { "error: an error of the session" } }, { crew.reports, handlers.errors, crew.written })
    end)

    it("alone, too; an error that is no text comes as it is", function()
      local object = { "an object" }
      handlers:listen("error", function(err) log[#log + 1] = err end)
      handlers.router:add("a", function() error(object) end)
      for _ = 1, 3 do come("a") end
      serve()
      assert.same({ 3, 3 }, { #log, handlers.errors })
      for i = 1, 3 do assert.equal(object, log[i]) end
    end)

    it("are the host's where nobody listens, and kept for nobody", function()
      handlers.router:add("a", throw)
      come("a", "1")
      serve()
      assert.same({ "fogcloud: error in a handler: bad 1" }, crew.reports)
      handlers:listen("error", function() log[#log + 1] = "heard" end)
      serve()
      assert.same({}, log)
    end)

    it("are not the host's too where a log takes them", function()
      handlers.logger.write = function(_, level, text, fields)
        crew.written[#crew.written + 1] = { level, text, (fields.err:match("^[^\n]*")) }
        return true
      end
      handlers.router:add("a", throw)
      come("a", "1")
      serve()
      assert.same({ { { "error", "error in a handler", "bad 1" } }, {} }, { crew.written, crew.reports })
    end)

    it("as error handlers end in the report, and the others hear of the error", function()
      handlers:listen("error", function() error("worse", 0) end)
      handlers:listen("error", function(err) log[#log + 1] = err.kind end)
      handlers:notify("error", errors.new("network", "gone"))
      serve()
      assert.same({ { "fogcloud: error in an error handler: worse" }, { "network" } }, { crew.reports, log })
    end)

    it("may be functions in C", function()
      handlers:listen("error", error)
      handlers:notify("error", "bad")
      serve()
      assert.same({ 1, 0 }, { #crew.reports, handlers.errors })
      assert.matches("error in an error handler: .*bad$", crew.reports[1])
      handlers.router:add("a", tostring)
      handlers.router:add("a", note)
      come("a", "1")
      serve()
      assert.same({ { "1" }, 0 }, { log, handlers.errors })
    end)

    it("as listeners of something else are told of as handlers are", function()
      handlers:listen("error", function(err) log[#log + 1] = err:match("^[^\n]*") end)
      handlers:listen("connect", function() error("not now", 0) end)
      handlers:notify("connect", { session_present = false })
      serve()
      assert.same({ { "not now" }, 1 }, { log, handlers.errors })
    end)
  end)

  describe("of notices", function()
    it("come before messages, in the order of what happened", function()
      handlers.router:add("#", note)
      for _, name in ipairs { "connect", "disconnect" } do
        handlers:listen(name, function(value) log[#log + 1] = name .. " " .. value.n end)
      end
      come("a", "message")
      handlers:notify("connect", { n = 1 })
      handlers:notify("disconnect", { n = 2 })
      handlers:notify("connect", { n = 3 })
      serve()
      assert.same({ "connect 1", "disconnect 2", "connect 3", "message" }, log)
    end)

    it("hear what was told before them: the first of each name, the last hundred of it", function()
      for i = 1, 101 do handlers:notify("drop", { n = i }) end
      handlers:notify("connect", { n = "other" })
      serve()
      local first, second = {}, {}
      handlers:listen("drop", function(value) first[#first + 1] = value.n end)
      serve()
      assert.same({ 100, 2, 101 }, { #first, first[1], first[100] })
      handlers:listen("drop", function(value) second[#second + 1] = value.n end)
      handlers:notify("drop", { n = 102 })
      serve()
      assert.same({ 101, 102, { 102 } }, { #first, first[101], second })
      handlers:listen("connect", function(value) log[#log + 1] = value.n end)
      serve()
      assert.same({ "other" }, log)
    end)

    it("are woken by a notice, and by listening to what was told before", function()
      local function hear(value) log[#log + 1] = value.n end
      handlers:notify("connect", { n = 1 })
      handlers:listen("connect", hear)
      turn()
      assert.same({ 1 }, log)
      handlers:notify("connect", { n = 2 })
      turn()
      assert.same({ 1, 2 }, log)
    end)

    it("hear how many messages were dropped since the last time", function()
      handlers:listen("drop", function(value) log[#log + 1] = { value.count, value.err.kind } end)
      for _, total in ipairs { 3, 3, 5 } do
        handle.drops = total
        serve()
      end
      assert.same({ { 3, "overflow" }, { 2, "overflow" } }, log)
    end)

    it("are called after close for what is queued", function()
      handlers:listen("disconnect", function(value) log[#log + 1] = value.n end)
      handlers:notify("disconnect", { n = 1 })
      handlers:close()
      handlers:notify("disconnect", { n = 2 })
      serve()
      assert.same({ { 1, 2 }, 0 }, { log, handlers.runners })
    end)
  end)

  describe("of overlapping filters", function()
    local function add(filter, identifier)
      handlers.router:add(filter, function(_, payload, message)
        local properties = message.properties
        log[#log + 1] = { filter, payload, properties and properties.subscription_identifier }
      end, identifier)
    end

    it("are those whose identifier the message carries", function()
      add("a/#", 1)
      add("a/+", 2)
      come("a/1", "one", 0, 1)
      come("a/1", "two", 0, { subscription_identifier = { 1, 2 } })
      come("a/1", "none of ours", 0, 9)
      come("a/1", "without")
      serve()
      assert.same({
        { "a/#", "one", 1 }, { "a/#", "two", { 1, 2 } }, { "a/+", "two", { 1, 2 } },
        { "a/#", "none of ours", 9 }, { "a/+", "none of ours", 9 }, { "a/#", "without" }, { "a/+", "without" },
      }, log)
    end)

    it("see no identifier that the program did not give", function()
      local own = handlers.router:identifier "a/#"
      add("a/#", own)
      add("a/+", 2)
      come("a/1", "own", 0, own)
      come("a/1", "both", 0, { subscription_identifier = { own, 2 } })
      serve()
      assert.same({ { "a/#", "own" }, { "a/#", "both", 2 }, { "a/+", "both", 2 } }, log)
    end)

    it("see the other properties", function()
      local own = handlers.router:identifier "a"
      handlers.router:add("a", function(_, _, message) log[#log + 1] = message end, own)
      come("a", "", 1 + 4, { content_type = "text", subscription_identifier = own })
      come("a", "", 1, { subscription_identifier = own })
      serve()
      assert.same({ qos = 1, retained = true, dup = false, properties = { content_type = "text" } }, log[1])
      assert.same({ qos = 1, retained = false, dup = false }, log[2])
    end)
  end)
end)
