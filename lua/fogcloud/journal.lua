-- SPDX-License-Identifier: MIT

--- Looks into the journal of a session, while no session uses it: what waits, what a broker refused; removes, or queues
--- again. The session does everything else by itself.
local check = require "fogcloud.check"
local durable = require "fogcloud.mqtt.durable"
local errors = require "fogcloud.errors"

local journal = {}

---@class fogcloud.Journal
---@field path string    absolute
---@field damage string? where it was damaged: where it was set aside, and what was taken over
local Journal = {}
Journal.__index = Journal
Journal.__name = "fogcloud.Journal"
Journal.__tostring = function(self) return ("fogcloud.Journal (%s)"):format(self.path) end

---@class (exact) fogcloud.JournalMessage
---@field number integer       in the order of publishing
---@field state string         "queued"; "sent": on its way, not acknowledged; "released": QoS 2, the broker has it, its
---                            last acknowledgement is missing; "set aside": the broker does not take it
---@field topic string
---@field qos integer
---@field retained boolean
---@field size integer         bytes of the payload
---@field accepted number      when it was published, seconds since 1970
---@field expires number?      when it is worth nothing any more, seconds since 1970
---@field packet_id integer?   of one that is sent or released
---@field reason integer?      of one that is set aside: the broker's reason code, 0 where it said none
---@field why string?          the same in words
---@field payload string?      where it was asked for

--- Opens the journal that a session has left. No session can open it until it is closed.
---@param path string
---@return fogcloud.Journal? journal
---@return fogcloud.Error? err  kinds: protocol (absent, in use by a process that is named, no journal, damaged beyond
---                             reading), overflow, closed
function journal.open(path)
  if type(path) ~= "string" then error("path: string expected, got " .. type(path), 2) end
  if path:find("%z") then error("path: a NUL byte", 2) end
  local handle, err, damage = durable.open(path, { existing = true })
  if handle == nil then return nil, err end
  return setmetatable({ handle = handle, path = handle:path(), damage = damage }, Journal)
end

-- What the module gave, or nil and its error.
local function result(value, text, code)
  if value == nil then return nil, durable.error(text, code) end
  return value
end

local LIST = { after = { "whole", 0, 2 ^ 53 }, count = { "whole", 1, 1000 }, payloads = "boolean" }

---@class (exact) fogcloud.JournalListOptions
---@field after integer?     only those with a larger number, default 0
---@field count integer?     so many at most, 1 to 1000, default 1000
---@field payloads boolean?  with their payloads

--- Messages in the order of their numbers; the next portion is behind the last one's.
---@param opts fogcloud.JournalListOptions?
---@return fogcloud.JournalMessage[]? messages
---@return fogcloud.Error? err
function Journal:list(opts)
  opts = opts or {}
  local why = check.options(LIST, opts, "list")
  if why then error(why, 2) end
  return result(self.handle:list(opts.after or 0, opts.count or 1000, opts.payloads))
end

--- How many wait, are in flight, are set aside.
---@return { waiting: integer, waiting_bytes: integer, in_flight: integer, set_aside: integer, received: integer }
function Journal:counts() return self.handle:counts() end

local function find(self, number, level)
  local why = check.value({ "whole", 1, 2 ^ 53 }, number)
  if why then error("number: " .. why, level + 1) end
  local list, err = result(self.handle:list(number - 1, 1))
  if list == nil then return nil, err end
  if list[1] and list[1].number == number then return list[1] end
  return nil, errors.new("protocol", ("the journal %s has no message %.0f"):format(self.path, number))
end

--- Removes a message. It is gone when this returns, and no broker gets it any more unless it has it already.
---@param number integer
---@return boolean? ok
---@return fogcloud.Error? err  there is none of that number, or it cannot be written
function Journal:remove(number)
  local found, err = find(self, number, 2)
  if not found then return nil, err end
  return result(self.handle:remove(number))
end

--- Queues a message again that was set aside, behind all others.
---@param number integer
---@return integer? number      its new one
---@return fogcloud.Error? err  there is none of that number, it is not set aside, or it cannot be written
function Journal:resend(number)
  local found, err = find(self, number, 2)
  if not found then return nil, err end
  if found.state ~= "set aside" then
    local text = ("message %.0f of the journal %s is %s, not set aside"):format(number, self.path, found.state)
    return nil, errors.new("protocol", text)
  end
  return result(self.handle:resend(number))
end

--- Gives it back; twice is harmless.
function Journal:close() self.handle:close() end
Journal.__close = Journal.close

return journal
