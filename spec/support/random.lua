-- SPDX-License-Identifier: MIT

--- A small generator with a seed, the same on every Lua: random(n) is a whole number from 1 to n.
local random = {}

function random.new(seed)
  local state = seed
  return function(n)
    state = (state * 16807) % 2147483647 -- Park and Miller's, exact in a double
    return state % n + 1
  end
end

return random
