-- SPDX-License-Identifier: MIT

-- mosquitto loses a SIGTERM that comes while it starts: a sandbox that was stopped right after its broker had been
-- started waited for ever.
local child = require "fogcloud.sandbox.child"
local core = require "fogcloud.sandbox.core"

-- A shell that is ready for signals once it has said so.
local function start(on_term)
  local pid, to, from = core.spawn { "sh", "-c", ("trap '%s' TERM; echo up; while :; do sleep 0.01; done"):format(on_term) }
  core.close_fd(to)
  core.poll({ from }, 20)
  assert(core.read(from) == "up\n")
  return pid, from
end

describe("a child that does not end at once", function()
  it("ends although it lost the first signal", function()
    local pid, out = start "n=$((n+1)); [ $n -ge 2 ] && echo asked twice && exit"
    child.stop(pid)
    assert.equal("asked twice\n", core.read(out))
    assert.is_false(core.kill(pid, 0))
    core.close_fd(out)
  end)

  it("is killed when it never listens", function()
    local pid, out = start ""
    child.stop(pid, child.TERM, 0.5)
    assert.is_false(core.kill(pid, 0))
    core.close_fd(out)
  end)
end)
