-- SPDX-License-Identifier: MIT

--- The one error shape, its text, and the redaction of secrets. Pure.
--
-- What can fail at run time returns `nil, err` with one of these; wrong use of the API raises a plain string instead.
local errors = {}

---@alias fogcloud.ErrorKind "api"|"auth"|"http"|"network"|"tls"|"timeout"|"protocol"
---|"mqtt"|"overflow"|"closed"|"cancelled"

---@class fogcloud.Error
---@field kind fogcloud.ErrorKind
---@field message string       what happened and what to do, one line, without secrets
---@field code integer?        the API's meta.code, or the broker's
---@field status integer?      HTTP status
---@field endpoint string?     which call, or which broker
---@field attempts integer?    how many requests were made
---@field elapsed number?      seconds from the call to the error
---@field retryable boolean?   whether the same call may succeed later
---@field request_id string?   the call's id, sent as X-Request-Id when the user wishes
---@field sent boolean?        false: no byte of the request can have reached the server
---@field retry_after number?  seconds after which the server is willing to hear us again
---@field properties table?    what an MQTT 5 broker sent with its refusal: reason_string, user_properties, ...
---@field results table?       of a bulk call: true or an error per id, in the order given
local Error = {}
Error.__index = Error
Error.__name = "fogcloud.Error"

local KINDS = {}
for kind in ("api auth http network tls timeout protocol mqtt overflow closed cancelled"):gmatch("%a+") do
  KINDS[kind] = true
end

-- What a person reports to whoever runs the server.
local function details(self)
  local parts = {}
  if self.code then parts[#parts + 1] = ("code %.0f"):format(self.code) end
  if self.status then parts[#parts + 1] = ("HTTP %.0f"):format(self.status) end
  if self.attempts then
    local times = self.attempts == 1 and "1 attempt" or self.attempts .. " attempts"
    parts[#parts + 1] = ("%s in %.1f s"):format(times, self.elapsed or 0)
  end
  if self.request_id then parts[#parts + 1] = "request " .. self.request_id end
  if #parts == 0 then return "" end
  return " (" .. table.concat(parts, ", ") .. ")"
end

function Error:__tostring()
  local where = self.endpoint and (self.endpoint .. ": ") or ""
  return where .. self.message .. details(self)
end

-- A program that joins an error to text means its line.
function Error.__concat(left, right) return tostring(left) .. tostring(right) end

--- A new error. A kind that does not exist is a mistake of ours and raises.
---@param kind fogcloud.ErrorKind
---@param message string?  default the kind
---@param fields table?
---@return fogcloud.Error
function errors.new(kind, message, fields)
  if not KINDS[kind] then error("unknown kind of error: " .. tostring(kind), 2) end
  local err = {}
  for name, value in pairs(fields or {}) do err[name] = value end
  err.kind, err.message = kind, message or kind
  return setmetatable(err, Error)
end

--- A copy of an error, for whoever adds facts of its own to one that several callers get.
---@param err fogcloud.Error
---@param fields table?  these win
---@return fogcloud.Error
function errors.copy(err, fields)
  local copy = errors.new(err.kind, err.message, err)
  for name, value in pairs(fields or {}) do copy[name] = value end
  return copy
end

--- Whether a value is one of these.
---@param value any
---@return boolean
function errors.is(value) return type(value) == "table" and getmetatable(value) == Error end

--- Foreign text as one line of at most `limit` bytes that a terminal can show.
---@param text any
---@param limit integer?  default 200
---@return string
function errors.one_line(text, limit)
  limit = limit or 200
  local line = tostring(text):sub(1, 4 * limit):gsub("[%c%z\127]+", " "):gsub("^ +", ""):gsub(" +$", "")
  if #line <= limit then return line end
  local cut = limit
  while cut > 0 and line:byte(cut + 1) >= 0x80 and line:byte(cut + 1) < 0xC0 do cut = cut - 1 end -- no half character
  return line:sub(1, cut) .. "..."
end

-- Redaction ---------------------------------------------------------------------------------------------------------

local HIDDEN = "[redacted]"
local KEPT = 32 -- tokens come and go; one that old is worth nothing

---@class fogcloud.Redactor
local Redactor = {}
Redactor.__index = Redactor
Redactor.__name = "fogcloud.Redactor"
Redactor.__tostring = function() return "fogcloud.Redactor" end

--- Knows secrets and takes them out of text. Its own secrets cannot be seen by looking into it.
---@return fogcloud.Redactor
function errors.redactor()
  local lasting, passing = {}, {}
  local self = setmetatable({}, Redactor)
  function self.lists() return lasting, passing end
  return self
end

local function form_escape(byte) return ("%%%02X"):format(byte:byte()) end

-- The ways in which a secret can stand in a text: as it is, in a form body, in JSON.
local function spellings(secret)
  local form = secret:gsub("[^%w%-._~]", form_escape)
  return { secret, form, (form:gsub("%%20", "+")), (secret:gsub('[/\\"]', "\\%0")), (secret:gsub('[\\"]', "\\%0")) }
end

--- Hides a secret from now on. One that passes is forgotten after some dozens of others.
---@param secret any        anything but a non-empty string is ignored
---@param passes boolean?
function Redactor:hide(secret, passes)
  if type(secret) ~= "string" or secret == "" then return end
  local lasting, passing = self.lists()
  local list = passes and passing or lasting
  for _, known in ipairs(list) do
    if known[1] == secret then return end
  end
  list[#list + 1] = spellings(secret)
  if #passing > KEPT then table.remove(passing, 1) end
end

local function replace(text, secret)
  local parts, from = {}, 1
  while true do
    local first, last = text:find(secret, from, true)
    if first == nil then break end
    parts[#parts + 1] = text:sub(from, first - 1)
    from = last + 1
  end
  if from == 1 then return text end
  parts[#parts + 1] = text:sub(from)
  return table.concat(parts, HIDDEN)
end

--- The text with every secret replaced by `[redacted]`.
---@param text string
---@return string
function Redactor:clean(text)
  for _, list in ipairs { self.lists() } do
    for _, secret in ipairs(list) do
      for _, spelling in ipairs(secret) do text = replace(text, spelling) end
    end
  end
  return text
end

return errors
