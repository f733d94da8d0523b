-- SPDX-License-Identifier: MIT

-- The store in Redis, in every host: a real redis-server that is stopped with SIGSTOP while calls are made never holds a
-- loop up.
local Nginx = require "spec.support.nginx"
local Redis = require "spec.support.redis"
local support = require "spec.support.sandbox"

local RUNS = {
  { host = "plain", lua = "lua5.4" }, { host = "plain", lua = "luajit" }, { host = "plain", lua = "lua5.1" },
  { host = "cqueues", lua = "lua5.4" }, { host = "cqueues", lua = "lua5.1" },
  { host = "luv", lua = "lua5.4" }, { host = "luv", lua = "luajit" },
}

local SETTINGS = [[return {
  options = { base_url = %q, client_id = %q, client_secret = %q, ca_file = %q, store = %q }, app_id = %q, pid = %d,
}
]]

local WORKER = [[
local fogcloud = require "fogcloud"
local M = {}
local cloud
function M.call()
  cloud = cloud or fogcloud.new { base_url = os.getenv "BASE_URL", ca_file = os.getenv "CA_FILE", client_id = os.getenv "ID",
    client_secret = os.getenv "SECRET", store = os.getenv "STORE" }
  local products, err = cloud:products()
  ngx.say(products and "ok" or tostring(err))
end
function M.fetches() ngx.say(cloud and cloud:stats().token_fetches or 0) end
return M
]]

describe("the store in Redis", function()
  local sandbox, redis

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)
  before_each(function()
    sandbox:reset()
    redis = Redis.start()
  end)
  after_each(function() redis:stop() end)

  local function requests() return sandbox:count { endpoint = "token" } end

  for _, run in ipairs(RUNS) do
    it(("serves %s on %s"):format(run.host, run.lua), function()
      local o, path = sandbox:options(), os.tmpname()
      local file = assert(io.open(path, "w"))
      file:write(SETTINGS:format(o.base_url, o.client_id, o.client_secret, sandbox.ca_file, redis:url(nil, "/0?timeout=1.5"),
        sandbox.app_id, redis.pid))
      file:close()
      local text, code = support.shell(("make -s build LUA=%s >/dev/null && lua=%s && . scripts/env.sh && "
        .. "timeout 60 %s spec/host/redis_main.lua %s %s"):format(run.lua, run.lua, run.lua, run.host, path))
      os.remove(path)
      assert.equal(0, code, text)
      assert.matches("shared: 1 fetched\naway: 1 fetched\n", text, 1, true)
      if run.host == "plain" then return end
      local longest, beats = text:match "stood still: (%S+), beats: (%d+)"
      assert.is_true(tonumber(beats) > 10, text)
      assert.is_true(tonumber(longest) < 1, text) -- and Redis is silent for 1.5 s at a time
    end)
  end

  it("serves the workers of an nginx", function()
    local o = sandbox:options()
    local env = {}
    for name, value in pairs { BASE_URL = o.base_url, CA_FILE = sandbox.ca_file, ID = o.client_id, SECRET = o.client_secret,
      STORE = redis:url(nil, "/0?timeout=0.4") } do
      env[#env + 1] = ("env %s=%s;"):format(name, value)
    end
    local nginx = Nginx.start {
      workers = 2, files = { ["worker.lua"] = WORKER }, env = table.concat(env, "\n"),
      server = [[location /call { content_by_lua_block { require("worker").call() } }]],
    }
    for _, answer in ipairs(nginx:get_many("/call", 40)) do assert.equal("ok", answer) end
    assert.equal(1, requests())
    redis:freeze()
    local answers = nginx:get_many("/call", 40)
    assert.equal(40, #answers)
    for _, answer in ipairs(answers) do assert.equal("ok", answer) end
    assert.equal(1, requests()) -- both have it in hand, or have been given it
    redis:thaw()
    assert.same({}, nginx:complaints())
    nginx:stop()
  end)
end)
