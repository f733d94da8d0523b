-- SPDX-License-Identifier: MIT

--- The exit codes; docs/cli.md.
local exit = { ok = 0, failure = 1, usage = 2, authentication = 3, network = 4, partial = 5 }

local OF_KIND = { auth = "authentication", network = "network", tls = "network", timeout = "network" }

--- The code for an error that ended a command.
---@param err fogcloud.Error
---@return integer
function exit.of(err) return exit[OF_KIND[err.kind] or "failure"] end

return exit
