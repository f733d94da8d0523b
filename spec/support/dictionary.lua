-- SPDX-License-Identifier: MIT

--- What the library uses of an ngx.shared dictionary, in Lua: atomic, with expiry, and full after `dict.room` entries.
local dictionary = {}

--- A dictionary on the clock of `host`.
function dictionary.new(host, room)
  local entries, dict = {}, { room = room or 100 }
  local function alive(key)
    local entry = entries[key]
    if entry and entry.expires and host.now() >= entry.expires then entries[key] = nil end
    return entries[key]
  end
  local function count()
    local n = 0
    for _ in pairs(entries) do n = n + 1 end
    return n
  end
  function dict.get(_, key) return alive(key) and entries[key].value end
  function dict.safe_set(_, key, value, life)
    if not alive(key) and count() >= dict.room then return nil, "no memory" end
    entries[key] = { value = value, expires = life and life > 0 and host.now() + life or nil }
    return true
  end
  function dict.safe_add(_, key, value, life)
    if alive(key) then return false, "exists" end
    return dict:safe_set(key, value, life)
  end
  function dict.delete(_, key) entries[key] = nil end
  return dict
end

return dictionary
