-- SPDX-License-Identifier: MIT

--- What every command works with: the options that all share, the cloud, what to say and how, and whether the person
--- wants to end.
local config = require "fogcloud.config"
local core = require "fogcloud.core"
local errors = require "fogcloud.errors"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local Output = require "fogcloud.cli.output"
local protect = require "fogcloud.task.protect"

---@class fogcloud.cli.Context
---@field session fogcloud.Session?  the command's, once it has one; the program ends with its goodbye
local Context = {}
Context.__index = Context

---@param args table  of argparse
---@param parser table  of all commands
function Context.new(args, parser)
  return setmetatable({ args = args, parser = parser, out = Output.new(args), timeout = args.timeout }, Context)
end

--- A mistake in what the person said; ends the command with exit code 2.
function Context.usage(_, message) error({ usage = message }, 0) end

local function pass(context, ok, first, ...)
  if ok then return first, ... end
  if type(first) == "table" then error(first, 0) end
  return context:usage((errors.text(first):match("^[^\n]*"):gsub("^[^ ]-:%d+: ", "")))
end

--- Calls fn(...) with what the person said: where the library raises, that was a mistake of theirs.
function Context:try(fn, ...) return pass(self, protect.call(fn, ...)) end

--- The options of `fogcloud.new` that flags set; the rest comes from FOGCLOUD_* and the profile.
function Context:options()
  local args = self.args
  return {
    base_url = args.base_url, ca_file = args.ca_file, profile = args.profile, timeout = args.timeout, app_id = args.app,
    allow_insecure_http = args.allow_insecure_http or nil, store = "file",
  }
end

--- What flags, variables and profile say, in this order, whether it makes an account or not.
function Context:settings()
  self.merged = self.merged or self:try(config.merged, self:options())
  return self.merged
end

--- The cloud. What is missing or wrong in the configuration ends the command.
function Context:cloud()
  self.made = self.made or self:try(fogcloud.new, self:options())
  return self.made
end

--- Whether the person wants to end (SIGINT, SIGTERM).
function Context.interrupted() return core.terminal.interrupted() end

--- Ends the command when that is so, for one whose work would be of no use halfway.
function Context:go_on()
  if self.interrupted() then error({ interrupted = true }, 0) end
end

--- Says what went wrong and gives the exit code for it. What an interrupt has cancelled ends the command as such.
---@param err fogcloud.Error|string
function Context:failed(err)
  if errors.is(err) and err.kind == "cancelled" then self:go_on() end
  self.out:fail(err)
  return errors.is(err) and exit.of(err) or exit.failure
end

return Context
