-- SPDX-License-Identifier: MIT

--- How far a long job is: a bar with rate and time left on a terminal, else a line for every tenth. On standard error.
local core = require "fogcloud.core"
local text = require "fogcloud.cli.text"

local Progress = {}
Progress.__index = Progress

local WIDTH, EVERY = 30, 0.1 -- columns of the bar; seconds between two pictures of it

--- `before`: of `total`, what was done in an earlier run and says nothing of the rate.
function Progress.new(context, total, before)
  local args = context.args
  return setmetatable({
    silent = args.quiet or args.json, terminal = core.terminal.is_terminal(2), total = total, before = before or 0,
    began = core.now(), drawn = 0, tenth = math.floor(10 * (before or 0) / math.max(total, 1)),
  }, Progress)
end

local function time_text(seconds)
  if seconds >= 3600 then
    return ("%d:%02d:%02d"):format(math.floor(seconds / 3600), math.floor(seconds / 60 % 60), math.floor(seconds % 60))
  end
  return ("%d:%02d"):format(math.floor(seconds / 60), math.floor(seconds % 60))
end

local function picture(self, done, failed)
  local rate = (done - self.before) / math.max(core.now() - self.began, 1e-3)
  local left = rate > 0 and time_text(math.ceil((self.total - done) / rate)) or "?"
  local filled = math.floor(WIDTH * done / math.max(self.total, 1))
  local bar = ("#"):rep(filled) .. ("."):rep(WIDTH - filled)
  return ("[%s] %d/%d  %.0f/s  %s left%s"):format(bar, done, self.total, rate, left,
    failed > 0 and ("  %d failed"):format(failed) or "")
end

--- `done` of all are done, `failed` of them in vain.
function Progress:show(done, failed)
  if self.silent then return end
  if not self.terminal then
    local tenth = math.floor(10 * done / math.max(self.total, 1))
    if tenth > self.tenth then io.stderr:write(picture(self, done, failed), "\n") end
    self.tenth = tenth
    return
  end
  if core.now() - self.drawn < EVERY and done < self.total then return end
  self.drawn = core.now()
  io.stderr:write("\r\27[K", text.fit(picture(self, done, failed), (core.terminal.size() or 80) - 1))
end

--- Makes room for a line of somebody else's.
function Progress:clear()
  if self.terminal and not self.silent and self.drawn > 0 then io.stderr:write("\r\27[K") end
end

--- The line is over.
function Progress:finish()
  if self.terminal and not self.silent and self.drawn > 0 then io.stderr:write("\n") end
end

return Progress
