-- SPDX-License-Identifier: MIT

-- One session among the workers of a real nginx: who has it, what becomes of it when its worker ends or dies.
local Nginx = require "spec.support.nginx"
local Numbered = require "spec.support.numbered"
local support = require "spec.support.sandbox"
local fogcloud = require "fogcloud"

-- Counts in the shared dictionary what the session sees; `seen N` for each message N.
local WORKER = [[
local fogcloud = require "fogcloud"
local seen = ngx.shared.seen
local M = {}

-- Shared: a session and a client for each worker, and a subscription that all of them share.
local shared = os.getenv "SHARED"
local mine = shared and "worker " .. ngx.worker.id() or true
local filter = (shared and "$share/spec/" or "") .. "d2c/dev1/n"

local function start()
  local cloud = assert(fogcloud.new {
    base_url = os.getenv "BASE_URL", ca_file = os.getenv "CA_FILE", client_id = os.getenv "ID",
    client_secret = os.getenv "SECRET", store = "shdict:fogcloud",
  })
  local session, err = cloud:open {
    app_id = os.getenv "APP_ID", devices = { "dev1" }, keep = mine,
    session = { clean = false, paused = true, backoff_base = 0.1 },
  }
  if session == nil then return nil, err end
  session:on("disconnect", function(why)
    if why.kind ~= "closed" then
      seen:incr("disconnects", 1, 0)
      seen:set("why", tostring(why))
    end
  end)
  local granted
  granted, err = session:subscribe(filter, 1, function(_, payload)
    seen:incr("received", 1, 0)
    seen:incr("by " .. ngx.worker.id(), 1, 0)
    seen:set("seen " .. payload, true)
  end)
  if granted == nil then return nil, err end
  seen:set("leader", ngx.worker.pid())
  seen:incr("starts", 1, 0)
  return session
end

function M.init() M.leader = fogcloud.lead("spec " .. tostring(mine), start, "shdict:fogcloud") end
return M
]]

local HTTP = Numbered.HTTP .. 'init_worker_by_lua_block { require("worker").init() }'

local SERVER = Numbered.SERVER .. [[
  location /await_often { content_by_lua_block {
    local leader, kept = require("worker").leader, 0
    for _ = 1, 50 do leader:await(0.001) end
    for _ in pairs(leader.waiters.waiting) do kept = kept + 1 end
    ngx.print(kept)
  } }
  location /await_wrong { content_by_lua_block { ngx.print(select(2, pcall(require("worker").leader.await, {}))) } }
  location /await_stopped { content_by_lua_block {
    local leader = require("worker").leader
    leader:stop()
    local session, err
    repeat
      ngx.sleep(0.01)
      session, err = leader:await(0.05)
    until session == nil and err.kind == "closed"
    ngx.print(tostring(err))
  } }
  location /await { content_by_lua_block {
    local session, err = require("worker").leader:await(0.05)
    ngx.print(session and "leads" or err.kind)
  } }
]]

describe("fogcloud.lead", function()
  local sandbox, nginx, device

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)

  local function start(more)
    nginx = Nginx.start {
      workers = 3, files = { ["worker.lua"] = WORKER }, http = HTTP, server = SERVER, env = Numbered.env(sandbox, more),
    }
    nginx:wait_for("a leader", function() return (nginx:get("/get?key=leader")) ~= "nil" end)
  end

  before_each(function()
    sandbox:reset()
    start()
    device = Numbered.device(sandbox, "dev1")
  end)
  after_each(function()
    device:close()
    nginx:stop()
  end)

  local function get(key) return (nginx:get("/get?key=" .. key:gsub(" ", "%%20"))) end

  it("has one worker lead", function()
    for _, kind in ipairs { "leads", "timeout" } do -- whichever worker answers
      nginx:wait_for("a worker that " .. kind, function() return nginx:get("/await") == kind end)
    end
    device:send(50)
    device:wait_complete(nginx)
    assert.same({ "1", "50", "nil" }, { get "starts", get "received", get "disconnects" })
    assert.same({}, nginx:complaints())
    assert.equal("", nginx:wake_up_folders())
  end)

  it("remembers nobody who waits no longer, and says why there is nothing to wait for", function()
    for _ = 1, 9 do assert.equal("0", (nginx:get("/await_often"))) end -- whichever worker answers
    assert.matches("timeout: a number of seconds", (nginx:get("/await_wrong")), 1, true)
    assert.matches("leader:stop() was called", (nginx:get("/await_stopped")), 1, true)
    assert.same({}, nginx:complaints())
  end)

  it("has another worker take over from one that was killed, and nothing is lost", function()
    device:send(50)
    device:wait_complete(nginx)
    local first = get "leader"
    nginx:kill_worker(tonumber(first))
    device:send(50) -- to nobody: the broker keeps them
    nginx:wait_for("another leader", function() return get "leader" ~= first end)
    device:send(50)
    device:wait_complete(nginx)
    assert.same({ "2", "nil" }, { get "starts", get "disconnects" })
    assert.same({}, nginx:complaints("exited on signal 9"))
  end)

  it("loses nothing over reloads under load, and nobody fights for the client id", function()
    local busy = true
    local load = fogcloud.spawn(function()
      while busy do
        device:publish { qos = 1, wait = true }
        if device.sent % 20 == 0 then fogcloud.sleep(0.01) end
      end
      device:flush()
    end)
    for round = 1, 3 do
      local first, started = get "leader", device.sent
      support.serve_until(function() return device.sent > started + 200 end)
      local old = nginx:reload()
      local gone
      support.serve_until(function()
        gone = gone or nginx:are_gone(old)
        return gone and get "leader" ~= first
      end)
      assert.equal(tostring(round + 1), get "starts")
    end
    busy = false
    assert(load:wait(20))
    device:wait_complete(nginx)
    assert.is_true(device.sent > 600)
    assert.equal("nil", get "disconnects", get "why")
    assert.same({}, nginx:complaints())
    assert.equal("", nginx:wake_up_folders())
  end)

  it("lets a worker end while the broker is away, and leads again when it is back", function()
    device:send(10)
    device:wait_complete(nginx)
    local first = get "leader"
    sandbox:broker("kill")
    nginx:wait_for("the link to be lost", function() return get "disconnects" == "1" end)
    local old = nginx:reload()
    nginx:wait_for("the old workers to end", function() return nginx:are_gone(old) end, 6) -- by themselves
    sandbox:broker("start")
    nginx:wait_for("another leader", function() return get "leader" ~= first end)
    device:connect_again(sandbox) -- the broker has forgotten it
    device:send(10)
    device:wait_complete(nginx)
    assert.same({}, nginx:complaints("does not start: .*broker"))
  end)

  it("or each worker have one, and share what comes", function()
    nginx:stop()
    start "env SHARED=1;"
    nginx:wait_for("all sessions", function() return get "starts" == "3" end)
    nginx:wait_for("all workers to have heard", function()
      device:send(30)
      for i = 0, 2 do
        if get("by " .. i) == "nil" then return false end
      end
      return true
    end)
    device:wait_complete(nginx)
    assert.equal(tostring(device.sent), get "received") -- each message reached one of them
    assert.equal("nil", get "disconnects", get "why") -- with a client id each
    assert.same({}, nginx:complaints())
  end)
end)
