-- SPDX-License-Identifier: MIT

--- Where tokens and credentials are kept.
--
-- A store is a table with these functions. A record is a flat table of strings and numbers.
--
--   store:get(key)               the record, nil when there is none; nil, err when the store cannot be read
--   store:set(key, record)       keeps it; true, or nil, err
--   store:delete(key, record)    forgets it if it still holds record.value, so that a newer one that somebody else
--                                got is not thrown away; record nil: whatever it holds
--   store:lock(key, deadline)    one holder among all that share the store, waiting until the deadline (host.now());
--                                a function that unlocks, or nil, err. The holder looks again before it fetches.
--   store.shared                 true when others use it too: life is then measured on the wall clock
--
-- Keys are text made by the library, at most 256 bytes. No function may raise for a reason of the store's.
local memory = require "fogcloud.store.memory"

local store = {}

--- The default: this Lua state's memory.
function store.default(host) return memory.new(host) end

return store
