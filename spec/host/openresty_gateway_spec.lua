-- SPDX-License-Identifier: MIT

-- examples/openresty/ used as its users would: with curl.
local cjson = require "cjson"
local gateway = require "spec.support.gateway"
local support = require "spec.support.sandbox"

local function read(path)
  local file = io.open(path)
  local text = file and file:read("*a") or ""
  if file then file:close() end
  return text
end

describe("the gateway", function()
  local sandbox, nginx, device

  setup(function()
    sandbox = support.start()
    nginx = gateway.start(sandbox, 2)
    device = sandbox:device("dev1")
  end)
  teardown(function()
    device:close()
    nginx:stop()
    sandbox:stop()
  end)

  local function report(value) assert(device:report("status", value)) end

  -- A reader of /events in the background; the file it writes to ends with "ended" when the stream did.
  local function read_events(name)
    local path = nginx.folder .. "/" .. name
    os.execute(("(curl -sN -m 60 %s/events; echo; echo ended) >%s 2>&1 &"):format(nginx.url, path))
    return function() return read(path) end
  end

  it("publishes commands", function()
    local got = {}
    assert(device:on_command(function(value) got[#got + 1] = value end))
    local answer, status = nginx:get("/devices/dev1/commands", '{"power":true}')
    assert.equal(202, status, answer)
    assert.matches('"id":%d', answer)
    support.serve_until(function() return #got == 1 end)
    assert.same({ power = true }, got[1])
  end)

  it("refuses what is no command", function()
    local function code(...) return (select(2, nginx:get(...))) end
    assert.equal(400, code("/devices/dev1/commands", "{"))
    assert.equal(405, code("/devices/dev1/commands"))
    assert.equal(400, code("/devices/d%23/commands", "{}"))
    assert.equal(404, code("/devices/unheard/status"))
    assert.equal(400, code("/devices/%ff/commands", "{}"))
    for _, body in ipairs { "1e999", "[1e999]", "" } do assert.equal(400, code("/devices/dev1/commands", body), body) end
    assert.equal(405, code("/devices/dev1/status", "{}"))
    assert.equal(405, code("/events", "{}"))
  end)

  it("keeps a stream open of which nothing was written yet", function()
    local events = read_events("early")
    nginx:wait_for("the headers", function() return events():find("welcome", 1, true) end)
    support.shell("sleep 0.3")
    assert.is_nil(events():find("ended", 1, true))
  end)

  it("answers the last status", function()
    nginx:wait_for("the session", function() -- of worker 0, which writes the states
      report('{"n":0}')
      return nginx:get("/devices/dev1/status") == '{"n":0}\n'
    end)
    for i = 1, 3 do report('{"n":' .. i .. "}") end
    nginx:wait_for("the status", function() return nginx:get("/devices/dev1/status") == '{"n":3}\n' end)
  end)

  it("streams what devices report, to readers of every worker, from their last status on", function()
    report('{"n":"before"}')
    nginx:wait_for("the status", function() return nginx:get("/devices/dev1/status") == '{"n":"before"}\n' end)
    local readers = {}
    for i = 1, 6 do readers[i] = read_events("events" .. i) end
    local function all_have(text, doing)
      nginx:wait_for(text, function()
        if doing then doing() end
        for _, events in ipairs(readers) do
          if not events():find(text, 1, true) then return false end
        end
        return true
      end)
    end
    all_have('event: status\ndata: {"device":"dev1","status":{"n":"before"}}\n\n')
    all_have('event: status\ndata: {"device":"dev1","status":{"n":"after"}}\n\n', function()
      report('{"n":"after"}') -- again and again, for a worker may have no session yet
    end)
    local old = nginx:reload()
    all_have("ended")
    nginx:wait_for("the old workers to end", function() return nginx:are_gone(old) end, 6) -- by themselves
  end)

  it("loses no command that it accepted, over reloads under load", function()
    local got, script = {}, {}
    assert(device:on_command(function(value) got[value.n] = true end))
    local COMMANDS = 1500
    for i = 1, COMMANDS do
      script[i] = ('url = "%s/devices/dev1/commands"\ndata = "{\\"n\\":%d}"\noutput = "/dev/null"\nwrite-out = "%d %%{http_code}\\n"\n')
        :format(nginx.url, i, i)
    end
    local path = nginx.folder .. "/curl"
    local file = assert(io.open(path, "w"))
    file:write(table.concat(script, "next\n"))
    file:close()
    os.execute(("(curl -s -K %s; echo ended) >%s.out 2>&1 &"):format(path, path))
    local function answered() return select(2, read(path .. ".out"):gsub("\n", "")) end
    for _ = 1, 2 do
      local until_then = math.min(answered() + 200, COMMANDS) -- a slow reload outlasts them all
      support.serve_until(function() return answered() >= until_then end)
      local old = nginx:reload()
      support.serve_until(function() return nginx:are_gone(old) end, 6)
    end
    support.serve_until(function() return read(path .. ".out"):find("ended") end, 60)
    local accepted, refused = {}, 0
    for n, code in read(path .. ".out"):gmatch("(%d+) (%d+)\n") do
      if code == "202" then accepted[#accepted + 1] = tonumber(n) else refused = refused + 1 end
    end
    assert.is_true(#accepted > 1400, #accepted .. " were accepted")
    support.serve_until(function()
      for _, n in ipairs(accepted) do
        if not got[n] then return false end
      end
      return true
    end)
    assert.equal(COMMANDS, #accepted + refused)
  end)

  it("has nothing to complain about", function()
    assert.same({}, nginx:complaints())
    assert.equal("", nginx:wake_up_folders())
  end)

  it("answers one /metrics and one /healthz for all workers", function()
    local text
    nginx:wait_for("the figures of both workers", function()
      text = nginx:get "/metrics"
      return text:find('fogcloud_received_total{session="worker 0",worker="0"}', 1, true)
        and text:find('fogcloud_received_total{session="worker 1",worker="1"}', 1, true)
    end)
    assert.equal(1, select(2, text:gsub("# TYPE fogcloud_received_total counter", "")))
    assert.matches('fogcloud_token_age_seconds{cloud="worker 0",worker="0"} %d', text)
    for _ = 1, 6 do -- whichever worker answers
      local body, status = nginx:get "/healthz"
      assert.equal(200, status, body)
      assert.same({ healthy = true, workers = { ["0"] = "ok", ["1"] = "ok" } }, cjson.decode(body))
    end
    sandbox:broker "kill"
    nginx:wait_for("both to be down", function()
      local body, status = nginx:get "/healthz"
      return status == 503 and cjson.decode(body).workers["0"] == "down" and cjson.decode(body).workers["1"] == "down"
    end)
    sandbox:broker "start"
    nginx:wait_for("both to be back", function() return select(2, nginx:get "/healthz") == 200 end)
    assert.equal(405, (select(2, nginx:get("/metrics", "{}"))))
    assert.equal(405, (select(2, nginx:get("/healthz", "{}"))))
  end)
end)
