-- SPDX-License-Identifier: MIT

--- What is done of a bulk job, in a file that survives a kill at any moment: a first line that says which job it is,
--- then a line for each id that is done. A line that is not whole counts for nothing.
local Resume = {}
Resume.__index = Resume

-- The whole lines of the file, and whether that is all of it.
local function read(path)
  local file = io.open(path, "rb")
  if file == nil then return "", false end
  local text = file:read("*a")
  file:close()
  local whole = text:match("^.*\n") or ""
  return whole, whole == text and text ~= ""
end

-- Puts the text in the file's place in one step.
local function replace(path, text)
  local file, why = io.open(path .. ".new", "wb")
  if file == nil then return nil, why end
  local ok = file:write(text) and file:close()
  if not ok then return nil, path .. ".new cannot be written" end
  return os.rename(path .. ".new", path)
end

--- Opens the file, which is made when it is not there, for the job that `title` names.
---@param path string
---@param title string  one line
---@return table? resume  its `done` is a set of ids, `count` how many
---@return string? why
function Resume.open(path, title)
  local done, count = {}, 0
  local whole, good = read(path)
  local first, rest = whole:match("^# ([^\n]*)\n(.*)$")
  if whole ~= "" and first ~= title then
    return nil, ("%s is of another job: %s"):format(path, first or "not one of ours")
  end
  for id in (rest or ""):gmatch("([^\n]+)\n") do
    if not done[id] then done[id], count = true, count + 1 end
  end
  local ok, why = true, nil
  if not good then ok, why = replace(path, whole ~= "" and whole or "# " .. title .. "\n") end
  local file = ok and io.open(path, "ab")
  if not file then return nil, why or path .. " cannot be written" end
  return setmetatable({ file = file, path = path, done = done, count = count }, Resume)
end

--- Notes that an id is done, before anything else is told of it.
function Resume:note(id)
  local ok, why = self.file:write(id, "\n")
  if ok then ok, why = self.file:flush() end
  if not ok then error(("%s cannot be written: %s"):format(self.path, why), 0) end
  self.done[id], self.count = true, self.count + 1
end

function Resume:close() self.file:close() end

return Resume
