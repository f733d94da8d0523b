-- SPDX-License-Identifier: MIT

-- A fleet of the workers of a real nginx, over their shared dictionary: fair shares, a worker that is killed, a reload.
local Nginx = require "spec.support.nginx"
local Numbered = require "spec.support.numbered"
local support = require "spec.support.sandbox"

local SLOTS = 4

local WORKER = [[
local fogcloud = require "fogcloud"
local metrics = require "fogcloud.metrics"
local seen = ngx.shared.seen
local M = {}

local function start(session, slot)
  assert(session:subscribe("d2c/+/n", 1, function(_, payload)
    seen:set("seen " .. payload, true)
    if slot.fence < (seen:get("fence " .. slot.index) or 0) then seen:incr("late", 1, 0) end
    seen:set("fence " .. slot.index, slot.fence)
  end))
end

function M.init()
  local cloud = fogcloud.new {
    base_url = os.getenv "BASE_URL", ca_file = os.getenv "CA_FILE", client_id = os.getenv "ID",
    client_secret = os.getenv "SECRET", app_id = os.getenv "APP_ID", store = "shdict:fogcloud",
  }
  M.fleet = fogcloud.fleet { cloud = cloud, name = "spec", slots = 4, devices = { "dev1" }, start = start, life = 2 }
  ngx.timer.every(0.2, function()
    seen:set("held " .. ngx.worker.pid(), #M.fleet:stats().held, 1)
    metrics.keep(seen, ngx.worker.id(), { fleets = { spec = M.fleet:stats() } })
  end)
end

-- How many slots each of the workers has.
function M.held()
  local list = {}
  for _, key in ipairs(seen:get_keys(0)) do
    if key:find "^held " then list[#list + 1] = tostring(seen:get(key)) end
  end
  table.sort(list)
  ngx.print(table.concat(list, " "))
end

function M.metrics() ngx.print(metrics.shared(seen, ngx.worker.count())) end
return M
]]

describe("a fleet in nginx", function()
  local sandbox, nginx, device

  setup(function()
    sandbox = support.start()
    nginx = Nginx.start {
      workers = 2, files = { ["worker.lua"] = WORKER }, env = Numbered.env(sandbox),
      http = Numbered.HTTP .. 'init_worker_by_lua_block { require("worker").init() }',
      server = Numbered.SERVER .. [[
        location /held { content_by_lua_block { require("worker").held() } }
        location /metrics { content_by_lua_block { require("worker").metrics() } }
      ]],
    }
    device = Numbered.device(sandbox, "dev1")
  end)
  teardown(function()
    device:close()
    nginx:stop()
    sandbox:stop()
  end)

  local function wait_shares() nginx:wait_for("fair shares", function() return nginx:get "/held" == "2 2" end) end

  -- All that were sent were handled, and none by a slot whose time was over.
  local function wait_complete()
    device:wait_complete(nginx)
    assert.equal("nil", (nginx:get "/get?key=late"))
  end

  it("is shared out among its workers", function()
    wait_shares()
    device:send(50)
    wait_complete()
    local text
    nginx:wait_for("the figures", function()
      text = nginx:get "/metrics"
      return select(2, text:gsub("\nfogcloud_slot_up{", "")) == SLOTS
    end)
    assert.matches('fogcloud_slot_up{fleet="spec",slot="1",worker="[01]"} 1\n', text)
    assert.same({}, nginx:complaints())
  end)

  it("loses nothing with a worker that is killed", function()
    nginx:kill_worker(nginx:workers()[1])
    device:send(50)
    wait_shares()
    device:send(50)
    wait_complete()
    assert.equal(SLOTS, sandbox:count { endpoint = "create_client" })
    assert.same({}, nginx:complaints "exited on signal 9")
  end)

  it("nor over a reload", function()
    local old = nginx:reload()
    device:send(50)
    nginx:wait_for("the old workers to end", function() return nginx:are_gone(old) end)
    wait_shares()
    device:send(50)
    wait_complete()
    assert.equal(SLOTS, sandbox:count { endpoint = "create_client" })
    assert.same({}, nginx:complaints "exited on signal 9")
  end)
end)
