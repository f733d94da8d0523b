-- SPDX-License-Identifier: MIT

-- What host.c runs: the products of the account, asked for in a task, while frames go on.
local fogcloud = require "fogcloud"
local cloud = fogcloud.new() -- FOGCLOUD_* in the environment
local products

fogcloud.spawn(function() products = assert(cloud:products()) end)

return function()
  fogcloud.step(0, { events = 100, time = 0.002 })
  return products ~= nil
end
