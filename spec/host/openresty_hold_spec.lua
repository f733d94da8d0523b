-- SPDX-License-Identifier: MIT

-- A kept client that the workers of a real nginx share: one of them has a session with it.
local Nginx = require "spec.support.nginx"
local Numbered = require "spec.support.numbered"
local support = require "spec.support.sandbox"

local WORKER = [[
local fogcloud = require "fogcloud"
local M = {}

-- "PID opened", "PID has it" or "PID why not".
function M.open()
  local cloud = fogcloud.new {
    base_url = os.getenv "BASE_URL", ca_file = os.getenv "CA_FILE", client_id = os.getenv "ID",
    client_secret = os.getenv "SECRET", app_id = os.getenv "APP_ID", store = "shdict:fogcloud",
  }
  local said = "has it"
  if not M.session or M.session.ended then
    local err
    M.session, err = cloud:open { keep = true }
    said = M.session and "opened" or tostring(err)
  end
  ngx.print(ngx.worker.pid(), " ", said)
end

return M
]]

describe("a kept client in a shared dictionary", function()
  local sandbox, nginx

  setup(function()
    sandbox = support.start()
    nginx = Nginx.start {
      workers = 2, files = { ["worker.lua"] = WORKER }, env = Numbered.env(sandbox), http = Numbered.HTTP,
      server = 'location /open { content_by_lua_block { require("worker").open() } }',
    }
  end)
  teardown(function()
    nginx:stop()
    sandbox:stop()
  end)

  local function open() return nginx:get("/open"):match "^(%d+) (.*)$" end

  -- Asks until the worker that has not the session says why.
  local function refused(holder)
    return nginx:wait_for("the other worker", function()
      local pid, said = open()
      return pid ~= holder and said
    end)
  end

  it("is one worker's; the other one is told which", function()
    local first, said = open()
    assert.equal("opened", said)
    assert.matches("the kept client is in use by process " .. first .. ", and a second session", refused(first), 1, true)
  end)

  it("is free at once when that worker is killed", function()
    local first
    nginx:wait_for("the one that has it", function()
      local pid, said = open()
      first = said == "has it" and pid
      return first
    end)
    nginx:kill_worker(tonumber(first))
    local second = nginx:wait_for("another one", function()
      local pid, said = open()
      return said == "opened" and pid
    end, 10) -- less than a hold's life
    assert.is_true(second ~= first)
    assert.matches("in use by process " .. second, refused(second), 1, true)
    assert.same({}, nginx:complaints "exited on signal 9")
  end)

  it("is handed over by a worker that ends, which the hold does not keep", function()
    local old = nginx:reload()
    nginx:wait_for("the old workers to end", function() return nginx:are_gone(old) end, 6)
    nginx:wait_for("a new one", function() return select(2, open()) == "opened" end, 10)
    assert.same({}, nginx:complaints "exited on signal 9")
  end)
end)
