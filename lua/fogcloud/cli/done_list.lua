-- SPDX-License-Identifier: MIT

--- What is done of a bulk job, in a file that survives a kill at any moment: a first line that says which job it is,
--- then a line for each id that is done. A line that is not whole counts for nothing.
--
-- One job at a time: a file `.lock` beside it is locked, and stays, for whoever removed it could let two in.
local core = require "fogcloud.core"

local DoneList = {}
DoneList.__index = DoneList

local MAX_SIZE = 1024 * 1024 * 1024

-- All that is in the file, "" when there is none. No link is followed, here or below: who can write in its folder could
-- have another file spoilt.
local function read(path)
  local text, why, detail = core.file.read(path, MAX_SIZE, "regular")
  if text or why == "absent" then return text or "" end
  return nil, ("%s: %s"):format(path, detail)
end

-- The ids of the whole lines below the title, how many, and the text of all that; nil for a file that is not of this
-- job. Of one that was torn while it was made there is a piece of the title.
local function parse(text, title)
  local head = "# " .. title .. "\n"
  if head:sub(1, #text) == text then return {}, 0, head end
  if text:sub(1, #head) ~= head then return nil end
  local whole = text:match("^.*\n")
  local done, count = {}, 0
  for id in whole:sub(#head + 1):gmatch("([^\n]+)\n") do
    if not done[id] then done[id], count = true, count + 1 end
  end
  return done, count, whole
end

local function open(path, title)
  local text, why = read(path)
  if text == nil then return nil, why end
  local done, count, whole = parse(text, title)
  if done == nil then
    return nil, ("%s is of another job: %s"):format(path, text:match("^# (fogcloud [^\n]*)\n") or "not one of ours")
  end
  if whole ~= text then
    local ok, _, detail = core.file.write(path, whole) -- in its place in one step
    if not ok then return nil, ("%s: %s"):format(path, detail) end
  end
  return setmetatable({ path = path, done = done, count = count }, DoneList)
end

--- Opens the file, which is made when it is not there, for the job that `title` names.
---@param path string
---@param title string  one line
---@return table? list  its `done` is a set of ids, `count` how many
---@return string? why
function DoneList.open(path, title)
  local readable, unreadable = read(path)
  if readable == nil then return nil, unreadable end
  local lock, busy, detail = core.file.lock(path .. ".lock")
  if lock == nil then
    return nil, busy == "busy" and path .. " is in use by another run" or ("%s.lock: %s"):format(path, detail)
  end
  local self, why = open(path, title)
  if self == nil then
    lock:unlock()
    return nil, why
  end
  self.lock = lock
  return self
end

--- Notes that an id is done, before anything else is told of it.
function DoneList:note(id)
  local ok, _, why = core.file.append(self.path, id .. "\n")
  if not ok then error(("%s cannot be written: %s"):format(self.path, why), 0) end
  self.done[id], self.count = true, self.count + 1
end

function DoneList:close() self.lock:unlock() end

return DoneList
