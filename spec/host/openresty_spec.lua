-- SPDX-License-Identifier: MIT

-- The library inside a real nginx; the specs ask it over HTTP. Runs in one Lua only: nginx has its own.
local Nginx = require "spec.support.nginx"
local support = require "spec.support.sandbox"

-- What every configuration here has: a cloud of the sandbox's account, one per worker, as fogcloud_of_the_spec.
local CLOUD = [[
local M = {}
function M.cloud(more)
  local options = %s
  for name, value in pairs(more or {}) do options[name] = value end
  return assert(require("fogcloud").new(options))
end
M.app_id = %q
return M
]]

local function literal(t)
  local parts = {}
  for name, value in pairs(t) do parts[#parts + 1] = ("%s = %q"):format(name, value) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

describe("fogcloud in nginx", function()
  local sandbox, nginx

  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)
  before_each(function() sandbox:reset() end)
  after_each(function()
    if nginx then nginx:stop() end
    nginx = nil
  end)

  local function start(options)
    options.files = { ["account.lua"] = CLOUD:format(literal(sandbox:options()), sandbox.app_id) }
    nginx = Nginx.start(options)
    return nginx
  end

  local function assert_clean(except) assert.same({}, nginx:complaints(except)) end

  it("makes calls from content, access, rewrite and timer", function()
    start { server = [[
      location /content { content_by_lua_block { ngx.say(#assert(require("account").cloud():products())) } }
      location /access {
        access_by_lua_block { ngx.ctx.n = #assert(require("account").cloud():products()) }
        content_by_lua_block { ngx.say(ngx.ctx.n) }
      }
      location /rewrite {
        rewrite_by_lua_block { ngx.ctx.n = #assert(require("account").cloud():products()) }
        content_by_lua_block { ngx.say(ngx.ctx.n) }
      }
      location /timer { content_by_lua_block {
        local n
        local done = require("ngx.semaphore").new(0)
        ngx.timer.at(0, function()
          n = #assert(require("account").cloud():products())
          done:post(1)
        end)
        done:wait(10)
        ngx.say(n)
      } }
      location /spawn { content_by_lua_block {
        local fogcloud = require "fogcloud"
        local cloud = require("account").cloud()
        local task = fogcloud.spawn(function() return #assert(cloud:products()), fogcloud.info().host end)
        local ok, n, host = task:wait(10)
        ngx.say(n, " ", host)
      } }
    ]] }
    for _, phase in ipairs { "content", "access", "rewrite", "timer" } do
      assert.equal("2\n", (nginx:get("/" .. phase)), phase)
    end
    assert.equal("2 openresty\n", (nginx:get("/spawn")))
    assert_clean()
  end)
end)
