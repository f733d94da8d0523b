-- SPDX-License-Identifier: MIT

--- Runs the conformance suite in one host: HOST SETTINGS, where SETTINGS is a file that returns a table with `options`
--- for fogcloud.new, `app_id`, `device` (credentials) and `ca_file`. Prints a line for each case, and last "beats N"
--- and "echoes N": how often the loop's own timer and socket had their turn meanwhile.
local name, settings = arg[1], dofile(arg[2])
local fogcloud = require("fogcloud").use(name)
local conformance = require "spec.host.conformance"
local loops = require "spec.host.loops"

local account = {}
function account.cloud()
  account.one = account.one or fogcloud.new(settings.options)
  return account.one
end
function account.session() return assert(account.cloud():open { app_id = settings.app_id, devices = { "dev1" } }) end
function account.device() return assert(fogcloud.connect(settings.device, { ca_file = settings.ca_file })) end

local beside = { beats = 0, echoes = 0 }
loops[name](beside, function()
  for _, case in ipairs(conformance.names()) do print(case .. ": " .. conformance.run(case, account)) end
  beside.done = true
end)
print("beats " .. beside.beats)
print("echoes " .. beside.echoes)
