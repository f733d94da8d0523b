-- SPDX-License-Identifier: MIT

-- Guest manners: after use, the process is as it was before.
local fogcloud = require "fogcloud"
local support = require "spec.support.sandbox"

local function status()
  local file = assert(io.open("/proc/self/status"))
  local text = file:read("*a")
  file:close()
  local masks = {}
  -- The low half: 32 and 33 belong to the C library, which catches them once there are threads.
  for name, mask in text:gmatch("(Sig%u%l%l):%s*%x+(%x%x%x%x%x%x%x%x)\n") do masks[name] = mask end
  return masks
end

local function open_in_child()
  local pipe = io.popen("ls -l /proc/self/fd")
  local text = pipe:read("*a")
  pipe:close()
  return text
end

describe("after calls and a session, while they are open,", function()
  local sandbox, before, session

  setup(function()
    sandbox = support.start()
    before = { masks = status(), locale = os.setlocale(), environment = os.getenv("PATH") }
    local cloud = support.cloud(sandbox)
    session = assert(cloud:connect(support.client(sandbox, cloud, { "dev1" })))
    assert(session:publish("c2d/dev1/x", "y", { qos = 1 }))
    assert(session:flush())
  end)
  teardown(function()
    session:close()
    fogcloud.run()
    sandbox:stop()
  end)

  it("signal dispositions and masks are as before, SIGPIPE's too", function() assert.same(before.masks, status()) end)

  it("locale and environment are as before", function()
    assert.equal(before.locale, os.setlocale())
    assert.equal(before.environment, os.getenv("PATH"))
  end)

  it("a child inherits none of our descriptors", function()
    local text = open_in_child()
    assert.is_nil(text:find("socket:", 1, true), text)
    assert.is_nil(text:find("eventfd", 1, true), text)
    assert.is_nil(text:find("memfd", 1, true), text)
  end)

  it("every thread of ours blocks every signal, so that the host's handlers run on the host's threads", function()
    local pipe = io.popen("ls -d /proc/" .. require("fogcloud.core").pid() .. "/task/*")
    local tasks = {}
    for path in pipe:lines() do tasks[#tasks + 1] = path end
    pipe:close() -- before looking: popen blocks signals itself for a moment
    local blocking, open = 0, 0
    for _, path in ipairs(tasks) do
      local file = assert(io.open(path .. "/status"))
      local mask = file:read("*a"):match("SigBlk:%s*(%x+)")
      file:close()
      if mask:find("^0+$") then open = open + 1 else blocking = blocking + 1 end
    end
    assert.is_true(blocking >= 3, "the dispatcher and Paho's two threads")
    assert.equal(1, open)
  end)
end)
