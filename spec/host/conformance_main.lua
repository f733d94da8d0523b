-- SPDX-License-Identifier: MIT

--- Runs the conformance suite in one host: HOST SETTINGS [LOOP], where SETTINGS is a file that returns a table with
--- `options` for fogcloud.new, `app_id`, `device` (credentials) and `ca_file`, and LOOP another one of loops.lua than the
--- host's. Prints a line for each case: its outcome, how long it took, and how often the loop's own timer and socket had
--- their turn meanwhile.
local host, settings = arg[1], dofile(arg[2])
local fogcloud = require("fogcloud").use(host)
local conformance = require "spec.host.conformance"
local loops = require "spec.host.loops"

local account = {}
function account.cloud()
  account.one = account.one or fogcloud.new(settings.options)
  return account.one
end
function account.session() return assert(account.cloud():open { app_id = settings.app_id, devices = { "dev1" } }) end
function account.device() return assert(fogcloud.connect(settings.device, { ca_file = settings.ca_file })) end

-- What the loop counts up beside us: its own timer, each 2 ms, and its own socket.
local beside = { beats = 0, echoes = 0 }
local now = require("fogcloud.core").now

loops[arg[3] or host](beside, function()
  for _, case in ipairs(conformance.names()) do
    local began, beats, echoes = now(), beside.beats, beside.echoes
    local outcome = conformance.run(case, account)
    print(("%s: %s; %.0f ms, %d beats, %d echoes"):format(case, outcome, (now() - began) * 1000, beside.beats - beats,
      beside.echoes - echoes))
  end
  beside.done = true
end)
