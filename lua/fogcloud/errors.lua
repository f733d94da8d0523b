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
---@field request_id string?   the call's id, where it was sent as X-Request-Id
---@field sent boolean?        false: no byte of the request can have reached the server
---@field retry_after number?  seconds after which the server is willing to hear us again
---@field properties table?    what an MQTT 5 broker sent with its refusal: reason_string, user_properties, ...
---@field data table?          of a create_client whose reply cannot be used: what could be read, the password too; had
---                         by this name only, and not by walking through the error
---@field results table?       of a bulk call: true or an error per id, in the order given
local Error = {}
-- What holds a secret of the caller's own: had by name, and not found by whoever prints or walks through an error.
local private = setmetatable({}, { __mode = "k" })

function Error.__index(err, name)
  if name == "data" then return private[err] end
  return Error[name]
end

Error.__name = "fogcloud.Error"

local LINE = 200 -- bytes of foreign text in an error at most

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
function Error.__concat(left, right) return errors.text(left) .. errors.text(right) end

--- A new error. A kind that does not exist is a mistake of ours and raises.
---@param kind fogcloud.ErrorKind
---@param message string?  default the kind
---@param fields table?
---@return fogcloud.Error
function errors.new(kind, message, fields)
  if not KINDS[kind] then error("unknown kind of error: " .. errors.text(kind), 2) end
  local err = {}
  for name, value in pairs(fields or {}) do err[name] = value end
  err.kind, err.message = kind, message or kind
  private[err], err.data = fields and fields.data, nil
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

local function plain_tostring(value) return tostring(value) end -- Lua 5.1 makes no coroutine of a C function

--- Any value as text, whatever its `__tostring` does: one that throws, yields or gives no text ends nothing here. Every
--- value that is not ours becomes text by this function.
---@param value any
---@return string
function errors.text(value)
  local kind = type(value)
  if kind == "string" then return value end
  if kind ~= "table" and kind ~= "userdata" then return tostring(value) end
  local made = coroutine.create(plain_tostring)
  local ok, text = coroutine.resume(made, value)
  if ok and type(text) == "string" and coroutine.status(made) == "dead" then return text end
  return "(a " .. kind .. " that cannot be shown as text)"
end

-- What a terminal obeys instead of showing it, in UTF-8: C1 controls, the marks that turn the direction of writing
-- (Unicode TR 9), line and paragraph separators.
local UNPRINTABLE = {
  "\194[\128-\159]", "\216\156", "\226\128[\142\143\168-\174]", "\226\129[\166-\169]",
}

--- Foreign text as one line that a terminal can show: what it would obey is a blank.
---@param text string
---@return string
function errors.printable(text)
  if text:find("[\194\216\226]") then
    for _, pattern in ipairs(UNPRINTABLE) do text = text:gsub(pattern, "\n") end
  end
  return (text:gsub("[%c%z\127]+", " "))
end

--- The same, of at most `limit` bytes.
---@param text any
---@param limit integer?  default 200
---@return string
function errors.one_line(text, limit)
  limit = limit or LINE
  local line = errors.printable(errors.text(text):sub(1, 4 * limit)):gsub("^ +", ""):gsub(" +$", "")
  if #line <= limit then return line end
  local cut = limit
  while cut > 0 and line:byte(cut + 1) >= 0x80 and line:byte(cut + 1) < 0xC0 do cut = cut - 1 end -- no half character
  return line:sub(1, cut) .. "..."
end

-- Redaction ---------------------------------------------------------------------------------------------------------

local HIDDEN = "[redacted]"

-- What comes and goes, and how many of each are remembered: an old token is worth nothing, a password serves as long as
-- its client.
local KEPT = { token = 32, password = 256 }

---@class fogcloud.Redactor
local Redactor = {}
Redactor.__index = Redactor
Redactor.__name = "fogcloud.Redactor"
Redactor.__tostring = function() return "fogcloud.Redactor" end

--- Knows secrets and takes them out of text. Its own secrets cannot be seen by looking into it.
---@return fogcloud.Redactor
function errors.redactor()
  local state = { lists = { lasting = {}, token = {}, password = {} } }
  return setmetatable({ state = function() return state end }, Redactor)
end

local function form_escape(byte) return ("%%%02X"):format(byte:byte()) end

-- The ways in which a secret can stand in a text: as it is, in a form body (with either case of digits), in JSON.
local function spellings(secret)
  local form = secret:gsub("[^%w%-._~]", form_escape)
  local lower = form:gsub("%%%x%x", string.lower)
  return {
    secret, form, lower, (form:gsub("%%20", "+")), (lower:gsub("%%20", "+")), (secret:gsub('[/\\"]', "\\%0")),
    (secret:gsub('[\\"]', "\\%0")),
  }
end

--- Hides a secret from now on.
---@param secret any                  anything but a non-empty string is ignored
---@param kind "token"|"password"|nil  one that is forgotten after some dozens, hundreds of others of its kind
function Redactor:hide(secret, kind)
  if type(secret) ~= "string" or secret == "" then return end
  local state = self.state()
  local list = state.lists[kind or "lasting"]
  for _, known in ipairs(list) do
    if known[1] == secret then return end
  end
  list[#list + 1] = spellings(secret)
  if kind and #list > KEPT[kind] then table.remove(list, 1) end
  state.index = nil
end

local function add_spelling(index, spelling)
  local first = spelling:byte()
  local lengths = index.lengths[first] or {}
  index.lengths[first], index.known[spelling] = lengths, true
  for _, length in ipairs(lengths) do
    if length == #spelling then return end
  end
  lengths[#lengths + 1] = #spelling
end

-- All spellings, and by first byte how long those are that begin with it, the longest first. What is hidden already
-- counts as a spelling, so that nothing within it is hidden once more.
local function new_index(lists)
  local index = { known = {}, lengths = {} }
  add_spelling(index, HIDDEN)
  for _, list in pairs(lists) do
    for _, secret in ipairs(list) do
      for _, spelling in ipairs(secret) do add_spelling(index, spelling) end
    end
  end
  for _, lengths in pairs(index.lengths) do
    table.sort(lengths, function(a, b) return a > b end)
  end
  return index
end

local NONE = {}

local SHORT = 8 -- bytes: a secret shorter than this is looked for as a word, for many words may hold it

local LETTER = "^[%w\128-\255]"

local function is_letter(text, at) return at >= 1 and text:find(LETTER, at) ~= nil end

-- Whether what lies from `at` to `last` is no part of a longer word. An escape before it (%3D) is none.
local function is_word(text, at, last)
  if is_letter(text, last) and is_letter(text, last + 1) then return false end
  if not (is_letter(text, at) and is_letter(text, at - 1)) then return true end
  return at > 3 and text:find("^%%%x%x", at - 3) ~= nil
end

-- How long the secret is that begins at `at`, nil where none does.
local function secret_at(index, text, at)
  for _, length in ipairs(index.lengths[text:byte(at)] or NONE) do
    local last = at + length - 1
    if index.known[text:sub(at, last)] and (length >= SHORT or is_word(text, at, last)) then return length end
  end
  return nil
end

--- The text with every secret replaced by `[redacted]`: in one pass, so that it grows by that word per byte at most
--- whatever the secrets are.
---@param text string
---@param limit integer?  ends when this many bytes are made; what follows is not looked at
---@return string
function Redactor:clean(text, limit)
  local state = self.state()
  state.index = state.index or new_index(state.lists)
  limit = limit or math.huge
  local parts, size, from, at = {}, 0, 1, 1
  while at <= #text and size + at - from < limit do
    local length = secret_at(state.index, text, at)
    if length then
      parts[#parts + 1] = text:sub(from, at - 1)
      size = size + at - from + #HIDDEN
      at = at + length
      from = at
      parts[#parts + 1] = HIDDEN
    else
      at = at + 1
    end
  end
  parts[#parts + 1] = text:sub(from, at - 1)
  return table.concat(parts)
end

--- Foreign text as one clean line, see errors.one_line. Secrets go before it is cut: half of one would not be found.
---@param text any
---@param limit integer?
---@return string
function Redactor:one_line(text, limit)
  return errors.one_line(self:clean(errors.text(text), 4 * (limit or LINE)), limit)
end

--- A copy of a value, with every string in it clean, names excepted.
---@param value any  a string, a table of such values, or anything else, which is taken as it is
---@return any
function Redactor:clean_copy(value)
  if type(value) == "string" then return self:clean(value) end
  if type(value) ~= "table" then return value end
  local copy = {}
  for name, field in pairs(value) do copy[name] = self:clean_copy(field) end
  return copy
end

return errors
