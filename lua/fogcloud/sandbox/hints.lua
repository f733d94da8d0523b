-- SPDX-License-Identifier: MIT

--- For a call that was refused: which near one would have been taken. Pure.
local hints = {}

local function first(list, field)
  local one = (list or {})[1]
  return one and (field and one[field] or one) or "one of the seed"
end

-- By what the refusal says: the words, from what was captured of it, and the account.
local RULES = {
  { "^parameter ([%w_]+) is required", function(name) return ("a parameter %s"):format(name) end },
  { "^parameter ([%w_]+) must be a string", function(name) return ("a string as %s"):format(name) end },
  { "^grant_type", function() return "grant_type=client_credentials" end },
  { "client_secret is wrong", function(_, account)
    return ("client_id=%s and its client_secret"):format(account.client_id)
  end },
  { "^app_id", function(_, account) return "app_id=" .. first(account.apps) end },
  { "^device_id", function(_, account) return "device_id=" .. first(account.devices, "id") end },
  { "^client_id", function() return "the clientid of a client that create_client made" end },
  { "not a JSON object", function() return "a JSON object as its body" end },
}

--- nil for a call that was taken, and where nobody can know.
---@param entry table    of the timeline
---@param account table  of the seed
---@return string? hint
function hints.of(entry, account)
  if entry.code == nil or entry.code == 0 then return nil end
  if entry.fault then return "a fault struck: without it the call is taken" end
  local wanted = (entry.code == 10100 or entry.code == 10101) and "a token of POST /v3/open_api/token/" or nil
  for _, rule in ipairs(RULES) do
    local captured = not wanted and (entry.message or ""):match(rule[1])
    if captured then wanted = rule[2](captured, account) end
  end
  return wanted and ("with %s it is taken"):format(wanted)
end

return hints
