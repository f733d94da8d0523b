-- SPDX-License-Identifier: MIT

--- Numbers that a person gives: what argparse converts arguments by, with the option named where they are wrong. Pure.
local number = {}

local LONGEST = 366 * 86400 -- seconds

--- A whole number from `least` to `most`.
function number.count(option, least, most)
  return function(text)
    local value = tonumber(text)
    if value and value % 1 == 0 and value >= least and value <= most then return math.floor(value) end
    return nil, ("%s: a whole number from %d to %d expected, got '%s'"):format(option, least, most, text)
  end
end

--- A time of more than nothing.
function number.seconds(option, most)
  most = most or LONGEST
  return function(text)
    local value = tonumber(text)
    if value and value > 0 and value <= most then return value end
    return nil, ("%s: seconds expected, more than 0 and at most %d, got '%s'"):format(option, most, text)
  end
end

--- Any number that is not negative.
function number.rate(option)
  return function(text)
    local value = tonumber(text)
    if value and value >= 0 and value < math.huge then return value end
    return nil, ("%s: a number, not negative, expected, got '%s'"):format(option, text)
  end
end

--- A share in percent, as mosquitto_sub takes it.
function number.percent(option)
  return function(text)
    local value = tonumber(text)
    if value and value >= 0.1 and value <= 100 then return value end
    return nil, ("%s: a number from 0.1 to 100 expected, got '%s'"):format(option, text)
  end
end

return number
