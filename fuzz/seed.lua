-- SPDX-License-Identifier: MIT

--- Seed files: any text is read or refused with a reason, and what is accepted fills a store or is refused as one that
--- gives a thing to two accounts.
--- Input: a JSON file. (A seed in Lua is a program; it is trusted as such.)
local seed = require "fogcloud.sandbox.seed"
local State = require "fogcloud.sandbox.state"

local path = os.tmpname()

return function(input)
  local file = assert(io.open(path, "w"))
  file:write(input)
  file:close()
  local value, why = seed.read(path)
  os.remove(path)
  assert(type(value) == "table" or value == nil and type(why) == "string")
  if value == nil then return end
  local state = assert(State.open(":memory:", 1))
  local filled, taken = state:apply(value)
  assert(filled ~= state:is_empty() and (filled or taken:find("belongs to account", 1, true)))
  if not filled then return state:close() end
  for _, app in ipairs(state:dump().apps) do assert(type(app.app_id) == "string" and app.app_id ~= "") end
  for _, device in ipairs(state:dump().devices) do assert(type(device.id) == "string" and device.id ~= "") end
  state:reset(value)
  state:close()
end
