-- SPDX-License-Identifier: MIT

-- What a program had open when it started a sandbox stayed open in the sandbox and in its broker: a deleted file kept its
-- room, a listening port its address.
local child = require "fogcloud.sandbox.child"
local core = require "fogcloud.sandbox.core"
local support = require "spec.support.sandbox"

local function open_files(pid)
  return (support.shell(("ls -l /proc/%s/fd"):format(pid)))
end

describe("a child of the sandbox's", function()
  local path, file

  setup(function()
    path = os.tmpname()
    file = assert(io.open(path))
  end)
  teardown(function()
    file:close()
    os.remove(path)
  end)

  it("has three descriptors of its own, and none of ours", function()
    assert.is_truthy(open_files("self"):find(path, 1, true)) -- others do inherit it
    local pid, to, from = core.spawn { "sh", "-c", "ls /proc/$$/fd; read line" }
    core.poll({ from }, 20)
    assert.equal("0\n1\n2\n", core.read(from))
    child.stop(pid)
    core.close_fd(to)
    core.close_fd(from)
  end)

  it("is a sandbox or a broker without them", function()
    local sandbox = support.start()
    finally(function() sandbox:stop() end)
    local pids = support.shell(("pgrep -P %d"):format(sandbox.pid))
    local broker = assert(pids:match("%d+"), pids)
    for _, pid in ipairs { ("%d"):format(sandbox.pid), broker } do
      local files = open_files(pid)
      assert.is_truthy(files:find("socket:", 1, true), files)
      assert.is_nil(files:find(path, 1, true), files)
    end
  end)
end)
