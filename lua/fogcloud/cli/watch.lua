-- SPDX-License-Identifier: MIT

--- `fogcloud watch DEVICE`: its last values, redrawn in place on a terminal, a line for each change elsewhere.
local cjson = require "cjson"
local core = require "fogcloud.core"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local sessions = require "fogcloud.cli.session"
local number = require "fogcloud.cli.number"
local text = require "fogcloud.cli.text"
local topics = require "fogcloud.cli.topics"

local command = { summary = "Show the live state of devices." }

local EVERY = 0.2 -- seconds between two pictures
local STALE = 60 -- seconds after which a value is old

function command.options(parser)
  parser:argument("device", "device ids"):args("+")
  parser:option("-W --wait", "end after so many seconds"):argname("SECONDS"):convert(number.seconds("--wait"))
  sessions.options(parser)
end

local function sorted(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function field_text(field)
  if field == cjson.null then return "null" end
  return type(field) == "number" and ("%.14g"):format(field) or tostring(field)
end

-- One line of a value: the fields of an object by name, where they are simple; anything else as it came.
local function value_text(payload)
  local ok, value = pcall(cjson.decode, payload)
  if not ok or type(value) ~= "table" or #value > 0 then return text.one_line(payload) end
  local parts = {}
  for _, name in ipairs(sorted(value)) do
    if type(value[name]) == "table" then return text.one_line(payload) end
    parts[#parts + 1] = ("%s=%s"):format(name, field_text(value[name]))
  end
  return text.one_line(#parts > 0 and table.concat(parts, "  ") or payload)
end

local function age_text(seconds)
  if seconds < 60 then return ("%ds"):format(math.floor(seconds)) end
  if seconds < 3600 then return ("%dm"):format(math.floor(seconds / 60)) end
  return ("%dh"):format(math.floor(seconds / 3600))
end

local Board = {}
Board.__index = Board

function Board.new(context, devices)
  return setmetatable({ out = context.out, devices = devices, rows = {}, height = 0 }, Board)
end

function Board:update(device, channel, payload)
  self.rows[device .. "\0" .. channel] = {
    device = device, channel = text.one_line(channel), value = value_text(payload), at = core.now(),
  }
end

-- Lines of at most so many columns, and at most so many of them: those that do not fit are counted in the last one.
function Board:lines(columns, most)
  local lines, heard, now = {}, {}, core.now()
  for _, key in ipairs(sorted(self.rows)) do
    local row = self.rows[key]
    heard[row.device] = true
    local age = now - row.at
    local line = ("%s  %s  %s  %s"):format(text.pad(row.device, 16), text.pad(row.channel, 12),
      text.pad(age_text(age), 4), row.value)
    lines[#lines + 1] = self.out:style(age > STALE and "dim" or "good", text.fit(line, columns))
  end
  for _, device in ipairs(self.devices) do
    local line = text.fit(text.pad(device, 16) .. "  nothing heard yet", columns)
    if not heard[device] then lines[#lines + 1] = self.out:style("dim", line) end
  end
  if #lines <= most then return lines end
  local more = text.fit(("and %d more, in a higher terminal"):format(#lines - most + 1), columns)
  while #lines >= most and #lines > 0 do lines[#lines] = nil end
  lines[#lines + 1] = self.out:style("dim", more)
  return lines
end

-- Draws over what was drawn before, when it is another picture. It is never higher than the terminal, where the cursor
-- could not go back to its first line.
function Board:draw()
  local columns, rows = core.terminal.size()
  local lines = self:lines((columns or 80) - 1, math.max(1, (rows or 24) - 1))
  local picture = "\27[K" .. table.concat(lines, "\n\27[K") .. "\n\27[J"
  if picture == self.drawn then return end
  local out = self.out
  out:write(self.height > 0 and ("\27[%dA\r"):format(self.height) or "", picture)
  out:flush()
  self.drawn, self.height = picture, #lines
end

local function subscribe(session, args, context, board)
  for _, device in ipairs(args.device) do
    local all = topics.from(device, "#")
    local function heard(topic, payload)
      local channel = topics.channel(topic, all)
      board:update(device, channel, payload)
      if context.out.terminal and not context.args.json then return end
      local is_text = text.is_utf8(payload)
      context.out:record({ device = device, channel = channel, payload = is_text and payload or nil,
        payload_hex = not is_text and text.hex(payload) or nil, time = core.wall() },
        ("%s %s %s"):format(device, text.one_line(channel), value_text(payload)))
    end
    local granted, err = context:try(session.subscribe, session, all, 1, heard)
    if granted == nil then return nil, err end
  end
  return true
end

function command.run(args, context)
  for _, device in ipairs(args.device) do topics.check(device, context) end
  local session, err = sessions.open(args, context, args.device)
  if session == nil then return context:failed(err) end
  local board = Board.new(context, args.device)
  local ok
  ok, err = subscribe(session, args, context, board)
  local deadline = args.wait and core.now() + args.wait or math.huge
  while ok and not session.ended and core.now() < deadline do
    if context.out.terminal and not context.args.json then board:draw() end
    if not fogcloud.sleep(EVERY) then break end
  end
  err = err or session.ended
  session:close()
  if err and err.kind ~= "cancelled" then return context:failed(err) end
  return exit.ok
end

return command
