-- SPDX-License-Identifier: MIT

--- Where tokens and the credentials of created clients are kept.
--
-- A store is a table with these functions. A record is a flat table of strings, numbers and booleans, `version` among
-- them, and whatever a later version of the library put there; what `get` gives is the caller's own copy.
--
--   store:get(key)               the record; nil when there is none; nil, err when there is one that cannot be used
--                                (damaged, another user's, open to others): err says what to do
--   store:set(key, record)       keeps it, in the place of whatever was there, in one step; true, or nil, err
--   store:delete(key, record)    forgets it if it still holds record.value, so that a newer one that somebody else
--                                got is not thrown away; record nil: whatever it holds. true, or nil, err
--   store:lock(key, deadline)    makes one holder among all that share the store, waiting until the deadline
--                                (host.now()): a function that unlocks, harmless twice; or nil, err (timeout,
--                                cancelled, protocol). Ends by itself when the holder's process dies. The holder
--                                looks again before it fetches.
--   store:hold(key, lost)        keeps a kept client for one session: a function that lets go, harmless twice, which
--                                never waits; nil, who when somebody else has it (in words for a person); or
--                                nil, nil, err. Never waits for the holder. Ends by itself when the holder's process
--                                dies, or soon after. A store whose holds have a life may give the function with
--                                nil, err where it cannot be reached, and tries on; lost(who) is called once, should
--                                another one have the client by then. A store need not have it: then two sessions can
--                                take one client, and end each other.
--   store:lease(key, mark, life) takes a lease for `life` seconds from now, or renews it, in the name of `mark`: its
--                                fencing number, which stays while it is renewed and is greater than all before it
--                                when it is taken; false while another mark has it; or nil, err. A lease ends when
--                                it was not renewed for its life, whatever its holder does. A store need not have
--                                it: then nothing can be led over it
--   store:release(key, mark)     gives the lease up if this mark has it; true, or nil, err
--   store:join(key, mark, life)  is a member of a group for `life` seconds from now (0: no more): { place =, count =,
--                                new = }, how many members there are, and which of them this one is, from 1, in an
--                                order that is the same for all and stays while nobody leaves; new: it was none until
--                                now. Or nil, err. Only a fleet needs it
--   store:where(key)             may be missing: where the record is, in words for a person
--   store.shared                 true when other processes use it too: times in records are then the wall clock's
--
-- Keys are text made by the library, of any length, on one line. All functions may wait in the host's way; none may
-- raise for a reason of the store's.
local store = {}

local FUNCTIONS = { "get", "set", "delete", "lock" }

local function check(custom, level)
  for _, name in ipairs(FUNCTIONS) do
    if type(custom[name]) ~= "function" then
      error(("option 'store': a store with a function '%s' expected"):format(name), level + 1)
    end
  end
end

local make_pump

--- Tells where the pump is to be had, for a store that asks somebody through the engine.
function store.offer(make) make_pump = make end

--- The store that the option means.
---@param option string|table       "memory", "file", "file:FOLDER", "shdict:NAME", a URL of Redis, or a store
---@param host table
---@param random fun(): number
---@param level integer?            whom to blame for a wrong option
---@return table store
function store.resolve(option, host, random, level)
  level = (level or 1) + 1
  if type(option) == "table" then
    check(option, level)
    return option
  end
  if option == "memory" then return require("fogcloud.store.memory").new(host) end
  local dictionary = option:match("^shdict:(.+)$")
  if dictionary then
    local shdict = require("fogcloud.store.shdict").new(host, dictionary, random, level)
    return shdict -- no tail call, which would take the frame that the level counts
  end
  if option:find("^redis[%w+]*:") then
    local redis = require("fogcloud.store.redis").new(host, option, make_pump, random, level)
    return redis -- no tail call, which would take the frame that the level counts
  end
  local folder = option:match("^file:(.+)$")
  if folder == nil and option ~= "file" then
    error("option 'store': 'memory', 'file', 'file:FOLDER', 'shdict:NAME', 'redis://HOST' or a store expected", level)
  end
  return require("fogcloud.store.file").new(host, folder, random)
end

return store
