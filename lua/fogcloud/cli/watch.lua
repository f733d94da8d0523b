-- SPDX-License-Identifier: MIT

--- `fogcloud watch DEVICE`: its last values, redrawn in place on a terminal, a line for each change elsewhere.
local cjson = require "cjson"
local core = require "fogcloud.core"
local exit = require "fogcloud.cli.exit"
local fogcloud = require "fogcloud"
local link = require "fogcloud.cli.link"
local text = require "fogcloud.cli.text"

local command = { summary = "Show the live state of devices." }

local EVERY = 0.2 -- seconds between two pictures
local STALE = 60 -- seconds after which a value is old

function command.options(parser)
  parser:argument("device", "device ids"):args("+")
  parser:option("-W --wait", "end after so many seconds"):argname("SECONDS"):convert(tonumber)
  link.options(parser)
end

local function sorted(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function field_text(field)
  if type(field) == "number" then return ("%.14g"):format(field) end
  return type(field) == "table" and cjson.encode(field) or tostring(field)
end

-- One line of a value: the fields of an object by name.
local function value_text(payload)
  local ok, value = pcall(cjson.decode, payload)
  if not ok or type(value) ~= "table" then return (text.harmless(payload):gsub("[\r\n\t]", " ")) end
  local parts = {}
  for _, name in ipairs(sorted(value)) do
    parts[#parts + 1] = ("%s=%s"):format(name, field_text(value[name]))
  end
  return (text.harmless(table.concat(parts, "  ")))
end

local function age_text(seconds)
  if seconds < 60 then return ("%ds"):format(math.floor(seconds)) end
  if seconds < 3600 then return ("%dm"):format(math.floor(seconds / 60)) end
  return ("%dh"):format(math.floor(seconds / 3600))
end

local Board = {}
Board.__index = Board

function Board.new(context) return setmetatable({ context = context, rows = {}, height = 0 }, Board) end

function Board:update(device, channel, payload)
  local key = device .. "\0" .. channel
  local row = self.rows[key] or { device = device, channel = channel, count = 0 }
  row.value, row.at, row.count = value_text(payload), core.now(), row.count + 1
  self.rows[key], self.changed = row, true
end

-- Draws over what was drawn before, no line wider than the terminal.
function Board:draw(devices)
  local out, now = self.context.out, core.now()
  local columns = (core.terminal.columns() or 80) - 1
  local lines, heard = {}, {}
  for _, key in ipairs(sorted(self.rows)) do
    local row = self.rows[key]
    heard[row.device] = true
    local age = now - row.at
    local line = ("%s  %s  %s  %s"):format(text.pad(row.device, 16), text.pad(row.channel, 12),
      text.pad(age_text(age), 4), row.value)
    lines[#lines + 1] = out:style(age > STALE and "dim" or "good", text.fit(line, columns))
  end
  for _, device in ipairs(devices) do
    if not heard[device] then lines[#lines + 1] = out:style("dim", text.pad(device, 16) .. "  nothing heard yet") end
  end
  out:write(self.height > 0 and ("\27[%dA\r"):format(self.height) or "")
  for _, line in ipairs(lines) do out:write("\27[K", line, "\n") end
  out:flush()
  self.height = #lines
end

local function subscribe(session, args, context, board)
  for _, device in ipairs(args.device) do
    local function heard(topic, payload)
      local channel = topic:sub(#device + 6)
      board:update(device, channel, payload)
      if context.out.terminal and not context.args.json then return end
      context.out:record({ device = device, channel = channel, payload = text.is_utf8(payload) and payload or nil,
        payload_hex = not text.is_utf8(payload) and text.hex(payload) or nil, time = core.wall() },
        ("%s %s %s"):format(device, channel, value_text(payload)))
    end
    local granted, err = context:try(session.subscribe, session, ("d2c/%s/#"):format(device), 1, heard)
    if granted == nil then return nil, err end
  end
  return true
end

function command.run(args, context)
  local session, err = link.open(args, context)
  if session == nil then return context:failed(err) end
  local board = Board.new(context)
  local ok
  ok, err = subscribe(session, args, context, board)
  local deadline = args.wait and core.now() + args.wait or math.huge
  while ok and not session.ended and core.now() < deadline do
    if context.out.terminal and not context.args.json then board:draw(args.device) end
    if not fogcloud.sleep(EVERY) then break end
  end
  err = err or session.ended
  session:close()
  if err and err.kind ~= "cancelled" then return context:failed(err) end
  return exit.ok
end

return command
