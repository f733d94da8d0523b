-- SPDX-License-Identifier: MIT

-- docs/guide-fleet.md to the letter: its Redis, its user, its two programs, on two machines (network namespaces, where
-- they can be made). One machine's program is killed, the other's goes on; one is told to end, and does.
local Numbered = require "spec.support.numbered"
local machines = require "examples.fleet.machines"
local process = require "fogcloud.sandbox.core"
local script = require "spec.support.script"
local support = require "spec.support.sandbox"

local TERM, KILL = 15, 9

describe("the guide to two machines", function()
  local sandbox, site, folder, guide, redis, port, device, programs

  local function read(path)
    local file = io.open(path)
    local text = file and file:read "*a" or ""
    if file then file:close() end
    return text
  end

  local function write(name, text)
    local file = assert(io.open(folder .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end

  -- What stands between ``` and ``` and holds this.
  local function block(what)
    for text in guide:gmatch "\n *```%l*\n(.-)\n *```" do
      if text:find(what, 1, true) then return (text:gsub("^   ", ""):gsub("\n   ", "\n")) end
    end
    error("no block of the guide has " .. what, 2)
  end

  -- The words of a command on machine i.
  local function words(i, ...)
    local list = { "/usr/bin/setpriv", "--pdeathsig", "KILL" }
    for _, word in ipairs(site:prefix(i)) do list[#list + 1] = word end
    for _, word in ipairs { ... } do list[#list + 1] = word end
    return list
  end

  local function redis_cli(i, ...)
    local list = words(i, "redis-cli", "--no-auth-warning", "-h", site.address, "-p", port, ...)
    return (support.shell("'" .. table.concat(list, "' '") .. "'"):gsub("%s+$", ""))
  end

  setup(function()
    guide = read "docs/guide-fleet.md"
    folder = support.shell("mktemp -d"):match "%S+"
    site = machines.new(2)
    local devices = {}
    for i = 1, 3 do devices[i] = { id = "dev" .. i, password = ("dev%d-secret"):format(i) } end
    sandbox = support.start {
      address = site.address, tls = true,
      seed = { accounts = { { client_id = "guide", client_secret = "s", apps = { "my-app" }, products = {}, devices = devices } } },
    }
    port = tostring(process.free_port())
    write("users.acl", block "user fogcloud on" .. "\n")
    write("redis.conf", (block("appendonly yes"):gsub("10%.0%.0%.5", site.address):gsub("127%.0%.0%.1 127", "127")
      :gsub("/etc/redis", folder)) .. ("\nport %s\ndir %s\nlogfile %s/log\n"):format(port, folder, folder))
    redis = assert(process.spawn({ "/usr/bin/setpriv", "--pdeathsig", "KILL", "/usr/bin/redis-server", folder .. "/redis.conf" }))
    support.serve_until(function() return redis_cli(1, "ping"):find "NOAUTH" end)
  end)
  teardown(function()
    process.kill(redis, KILL)
    process.wait(redis, true)
    sandbox:stop()
    site:remove()
    support.shell("rm -rf " .. folder)
  end)
  before_each(function() programs = {} end)
  after_each(function()
    for _, pid in ipairs(programs) do
      process.kill(pid, KILL)
      process.wait(pid, true)
    end
    if device then device:close() end
    device = nil
  end)

  local function password() return block("user fogcloud on"):match ">(%S+)" end

  it("lets the other machine in, and nobody without the password", function()
    assert.equal("PONG", redis_cli(2, "--user", "fogcloud", "--pass", password(), "ping"))
    assert.matches("NOAUTH", redis_cli(2, "get", "fogcloud:x"))
    assert.matches("NOPERM", redis_cli(2, "--user", "fogcloud", "--pass", password(), "keys", "*"))
  end)

  -- Starts a program of the guide's on both machines, with the environment that the guide says.
  local function start(what)
    write("main.lua", block(what))
    local account = sandbox:options()
    local store = block("STORE="):match "STORE=(%S+)":gsub("10%.0%.0%.5:6379", site.address .. ":" .. port)
    for i = 1, 2 do
      programs[i] = assert(process.spawn(words(i, "/usr/bin/env", "FOGCLOUD_BASE_URL=" .. account.base_url,
        "FOGCLOUD_CLIENT_ID=guide", "FOGCLOUD_CLIENT_SECRET=s", "FOGCLOUD_CA_FILE=" .. sandbox.ca_file, "STORE=" .. store,
        "sh", "-c", ("exec %s %s/main.lua >>%s/out.%d 2>&1"):format(script.interpreter(), folder, folder, i))))
    end
  end

  local function has_said(i, pattern) return read(("%s/out.%d"):format(folder, i)):find(pattern) ~= nil end

  -- Messages until one is handled, by whom; they bear a mark of their own.
  local function handled(topic, mark)
    local who
    support.serve_until(function()
      assert(device.device.session:publish("d2c/dev1/" .. topic, mark, { qos = 1 }))
      for i = 1, 2 do who = who or programs[i] and has_said(i, ("d2c/dev1/%s\t%s"):format(topic, mark)) and i end
      return who
    end, 40)
    return who
  end

  for what, topic in pairs { ["fogcloud.lead(\"status\""] = "status", ["fogcloud.fleet {"] = "orders" } do
    it("has a program with " .. what .. " that another machine's takes over from", function()
      support.shell(("rm -f %s/out.*"):format(folder))
      device = Numbered.device(sandbox, "dev1")
      start(what)
      local first = handled(topic, "first")
      process.kill(programs[first], KILL)
      process.wait(programs[first], true)
      local second = 3 - first
      programs[first] = nil
      assert.equal(second, handled(topic, "second"))
      process.kill(programs[second], TERM)
      local code = process.wait(programs[second], true)
      programs[second] = nil
      assert.equal(0, code)
      assert.is_false(has_said(second, "stack traceback"))
    end)
  end
end)
