-- SPDX-License-Identifier: MIT

--- Chance, repeatable when a seed is given.
local core = require "fogcloud.sandbox.core"

local random = {}

local MODULUS, FACTOR = 2147483647, 48271 -- Park and Miller's generator

--- A function `below(n)` that gives whole numbers from 0 to n - 1, for n up to 2^24: the same ones for the same seed
--- (any whole number from 0), the system's without one.
---@param seed number?
---@return fun(n: number): number
function random.source(seed)
  if seed == nil then
    return function(n)
      local a, b, c = core.random(3):byte(1, 3)
      return ((a * 256 + b) * 256 + c) % n
    end
  end
  local state = seed % (MODULUS - 1) + 1 -- never 0, which would stay 0
  return function(n)
    state = state * FACTOR % MODULUS
    return state % n
  end
end

return random
