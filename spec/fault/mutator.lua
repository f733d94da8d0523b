-- SPDX-License-Identifier: MIT

--- Spoils bytes on their way: bit flips, cuts, wrong lengths, random types, noise, and a slow trickle.
local random = require "spec.support.random"

local Mutator = {}
Mutator.__index = Mutator

--- `rate`: how likely a piece of output is spoiled.
function Mutator.new(seed, rate)
  return setmetatable({ random = random.new(seed % 2147483646 + 1), rate = rate }, Mutator)
end

function Mutator:below(n) return self.random(n) - 1 end

local function set(bytes, at, value) return bytes:sub(1, at - 1) .. string.char(value) .. bytes:sub(at + 1) end

function Mutator:noise(length)
  local out = {}
  for i = 1, length do out[i] = string.char(self:below(256)) end
  return table.concat(out)
end

local WAYS = {
  function(self, bytes) -- a flipped bit
    local at, bit = 1 + self:below(#bytes), 2 ^ self:below(8)
    local byte = bytes:byte(at)
    return set(bytes, at, byte % (bit * 2) >= bit and byte - bit or byte + bit)
  end,
  function(self, bytes) return bytes:sub(1, self:below(#bytes)), true end, -- a cut
  function(self, bytes) return set(bytes, 1, self:below(256)) end, -- another type
  function(self, bytes) return set(bytes, math.min(2, #bytes), self:below(256)) end, -- another length
  function(self, bytes) -- a length field inside that is wrong
    return #bytes < 4 and bytes or set(bytes, 3 + self:below(#bytes - 2), self:below(2) == 0 and 255 or 0)
  end,
  function(self, bytes) return bytes .. self:noise(1 + self:below(40)) end,
  function(self, bytes)
    local at = 1 + self:below(#bytes)
    return bytes:sub(1, at) .. self:noise(self:below(6)) .. bytes:sub(at + self:below(6))
  end,
  function(self) return self:noise(1 + self:below(64)) end,
  function(_, bytes) return bytes .. bytes end,
  function() return "", true end,
  function() return "\48\255\255\255\127\0\3a/b" end, -- 256 MiB announced
}

--- What goes out in the place of `bytes`, and whether the connection ends after it.
---@return string bytes
---@return boolean cut
---@return boolean trickle  byte by byte
function Mutator:spoil(bytes)
  if #bytes == 0 or self:below(1000) >= self.rate * 1000 then return bytes, false, false end
  if self:below(12) == 0 then return bytes, false, true end
  local cut
  for _ = 1, 1 + self:below(2) do
    if #bytes > 0 then
      local ends
      bytes, ends = WAYS[1 + self:below(#WAYS)](self, bytes)
      cut = cut or ends
    end
  end
  return bytes, cut or false, self:below(20) == 0
end

return Mutator
