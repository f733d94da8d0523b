-- SPDX-License-Identifier: MIT

--- A session's journal: the module fogcloud.durable, loaded when one is asked for, with its failures as errors.
local errors = require "fogcloud.errors"

local durable = {}

-- What a full disk says passes; a closed or forked journal is done with; all else is a file that cannot be used.
local KINDS = { full = "overflow", memory = "overflow", closed = "closed", forked = "closed" }

--- An error from what the module says.
---@param text string  begins with the file's name
---@param code string  "full", "io", "memory", "gone", "damaged", "forked", "closed", "in_use", "foreign" or "newer"
---@return fogcloud.Error
function durable.error(text, code) return errors.new(KINDS[code] or "protocol", "the journal " .. text) end

local function absent(why)
  return errors.new("protocol", "a journal needs the module fogcloud.durable: " .. errors.text(why):match("^[^\n]*"))
end

---@class fogcloud.DurableOptions
---@field full boolean?      a sync per commit: it survives a power cut
---@field existing boolean?  a file that is not there is an error

--- Opens the journal, or makes it, for this process alone.
---@param path string
---@param opts fogcloud.DurableOptions?
---@return fogcloud.Durable? handle
---@return fogcloud.Error? err   overflow: a full disk, no memory; closed: a forked process; protocol: another process
---                              has it, it is no journal, another user's, a folder, a link, of a later version, …
---@return string? damage        where the file was damaged: where it was set aside, and what was taken over
function durable.open(path, opts)
  local found, module = pcall(require, "fogcloud.durable")
  if not found then return nil, absent(module) end
  opts = opts or {}
  local handle, text, more = module.open(path, opts.full, opts.existing)
  if handle == nil then return nil, durable.error(text, more) end
  if text == nil then return handle end
  return handle, nil, ("the journal %s was damaged: it was set aside as %s, and %.0f messages were taken over")
    :format(path, text, more)
end

--- The journal that a session's options ask for; nothing where they ask for none. As durable.open.
---@param opts table
function durable.of(opts)
  if opts.journal == nil then return nil end
  return durable.open(opts.journal, { full = opts.journal_sync == "full" })
end

return durable
