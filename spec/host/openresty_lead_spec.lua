-- SPDX-License-Identifier: MIT

-- One session among the workers of a real nginx: who has it, what becomes of it when its worker ends or dies.
local Nginx = require "spec.support.nginx"
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

local HTTP = [[
  lua_shared_dict fogcloud 1m;
  lua_shared_dict seen 10m;
  init_worker_by_lua_block { require("worker").init() }
]]

local SERVER = [[
  location /get { content_by_lua_block { ngx.print(tostring(ngx.shared.seen:get(ngx.unescape_uri(ngx.var.arg_key)))) } }
  location /missing { content_by_lua_block {
    local n = 0
    for i = 1, tonumber(ngx.var.arg_count) do
      if not ngx.shared.seen:get("seen " .. i) then n = n + 1 end
    end
    ngx.print(n)
  } }
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
  local sandbox, nginx, device, sent

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)

  local function start(more)
    local account = sandbox:options()
    local env = {}
    for name, value in pairs { BASE_URL = account.base_url, CA_FILE = sandbox.ca_file, ID = account.client_id,
      SECRET = account.client_secret, APP_ID = sandbox.app_id } do
      env[#env + 1] = ("env %s=%s;"):format(name, value)
    end
    if more then env[#env + 1] = more end
    nginx = Nginx.start {
      workers = 3, files = { ["worker.lua"] = WORKER }, http = HTTP, server = SERVER, env = table.concat(env, "\n"),
    }
    nginx:wait_for("a leader", function() return (nginx:get("/get?key=leader")) ~= "nil" end)
  end

  before_each(function()
    sandbox:reset()
    start()
    device, sent = sandbox:device("dev1"), 0
  end)
  after_each(function()
    device:close()
    nginx:stop()
  end)

  local function get(key) return (nginx:get("/get?key=" .. key:gsub(" ", "%%20"))) end

  local function send(count)
    for _ = 1, count do
      sent = sent + 1
      assert(device.session:publish("d2c/dev1/n", tostring(sent), { qos = 1 }))
    end
    assert(device.session:flush(20))
  end

  local function wait_complete()
    nginx:wait_for("all messages", function() return nginx:get("/missing?count=" .. sent) == "0" end)
  end

  it("has one worker lead", function()
    for _, kind in ipairs { "leads", "timeout" } do -- whichever worker answers
      nginx:wait_for("a worker that " .. kind, function() return nginx:get("/await") == kind end)
    end
    send(50)
    wait_complete()
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
    send(50)
    wait_complete()
    local first = get "leader"
    nginx:kill_worker(tonumber(first))
    send(50) -- to nobody: the broker keeps them
    nginx:wait_for("another leader", function() return get "leader" ~= first end)
    send(50)
    wait_complete()
    assert.same({ "2", "nil" }, { get "starts", get "disconnects" })
    assert.same({}, nginx:complaints("exited on signal 9"))
  end)

  it("loses nothing over reloads under load, and nobody fights for the client id", function()
    local busy = true
    local load = fogcloud.spawn(function()
      while busy do
        sent = sent + 1
        assert(device.session:publish("d2c/dev1/n", tostring(sent), { qos = 1, wait = true }))
        if sent % 20 == 0 then fogcloud.sleep(0.01) end
      end
      assert(device.session:flush(20))
    end)
    for round = 1, 3 do
      local first, started = get "leader", sent
      support.serve_until(function() return sent > started + 200 end)
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
    wait_complete()
    assert.is_true(sent > 600)
    assert.equal("nil", get "disconnects", get "why")
    assert.same({}, nginx:complaints())
    assert.equal("", nginx:wake_up_folders())
  end)

  it("lets a worker end while the broker is away, and leads again when it is back", function()
    send(10)
    wait_complete()
    local first = get "leader"
    sandbox:broker("kill")
    nginx:wait_for("the link to be lost", function() return get "disconnects" == "1" end)
    local old = nginx:reload()
    nginx:wait_for("the old workers to end", function() return nginx:are_gone(old) end, 6) -- by themselves
    sandbox:broker("start")
    nginx:wait_for("another leader", function() return get "leader" ~= first end)
    device:close() -- the broker has forgotten it
    device = sandbox:device("dev1")
    send(10)
    wait_complete()
    assert.same({}, nginx:complaints("does not start: .*broker"))
  end)

  it("or each worker have one, and share what comes", function()
    nginx:stop()
    start "env SHARED=1;"
    nginx:wait_for("all sessions", function() return get "starts" == "3" end)
    nginx:wait_for("all workers to have heard", function()
      send(30)
      for i = 0, 2 do
        if get("by " .. i) == "nil" then return false end
      end
      return true
    end)
    wait_complete()
    assert.equal(tostring(sent), get "received") -- each message reached one of them
    assert.equal("nil", get "disconnects", get "why") -- with a client id each
    assert.same({}, nginx:complaints())
  end)
end)
