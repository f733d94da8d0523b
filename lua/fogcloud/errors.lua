-- SPDX-License-Identifier: MIT

--- The one error shape: what can fail at run time returns `nil, err` with one of these. Pure.
local errors = {}

---@alias fogcloud.ErrorKind "api"|"auth"|"http"|"network"|"tls"|"timeout"|"protocol"
---|"mqtt"|"overflow"|"closed"|"cancelled"

---@class fogcloud.Error
---@field kind fogcloud.ErrorKind
---@field message string       what happened and what to do, without secrets
---@field code integer?        the API's meta.code, or the broker's
---@field status integer?      HTTP status
---@field endpoint string?     which call, or which broker
---@field attempts integer?    how many requests were made
---@field elapsed number?      seconds from the call to the error
---@field retryable boolean?   whether the same call may succeed later
---@field request_id string?   what the request was sent with
---@field sent boolean?        false: no byte of the request can have reached the server
local Error = {}
Error.__index = Error
Error.__name = "fogcloud.Error"

local KINDS = {}
for kind in ("api auth http network tls timeout protocol mqtt overflow closed cancelled"):gmatch("%a+") do
  KINDS[kind] = true
end

local function effort(self)
  if self.attempts == nil then return "" end
  local times = self.attempts == 1 and "1 attempt" or self.attempts .. " attempts"
  return (" (%s, %.1f s)"):format(times, self.elapsed or 0)
end

function Error:__tostring()
  local where = self.endpoint and (self.endpoint .. ": ") or ""
  return where .. self.message .. effort(self)
end

--- A new error. Fields of an unknown kind of error are a mistake of ours and raise.
---@param kind fogcloud.ErrorKind
---@param message string?
---@param fields table?
---@return fogcloud.Error
function errors.new(kind, message, fields)
  if not KINDS[kind] then error("unknown kind of error: " .. tostring(kind), 2) end
  local err = setmetatable({ kind = kind, message = message or kind }, Error)
  for name, value in pairs(fields or {}) do err[name] = value end
  return err
end

--- Whether a value is one of these.
function errors.is(value) return getmetatable(value) == Error end

local function escape(text) return (text:gsub("%p", "%%%0")) end

--- The text with every secret replaced by `[redacted]`. Secrets shorter than 4 bytes are left: they would tear words
--- apart.
---@param text string
---@param secrets string[]
---@return string
function errors.redact(text, secrets)
  for _, secret in ipairs(secrets) do
    if #secret >= 4 then text = text:gsub(escape(secret), "[redacted]") end
  end
  return text
end

return errors
