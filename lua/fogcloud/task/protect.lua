-- SPDX-License-Identifier: MIT

--- Calls a function that may throw and may yield, on every Lua.
--
-- Lua 5.2 and later and LuaJIT yield through xpcall. PUC Lua 5.1 cannot, so there the function runs in a coroutine of
-- its own whose yields are passed on; `protect.parent` tells whose coroutine it is.
local protect = {}

--- table.unpack, by whatever name.
protect.unpack = table.unpack or unpack -- luacheck: ignore 113

local is_plain_51 = _VERSION == "Lua 5.1" and rawget(_G, "jit") == nil

--- Inner coroutine -> the coroutine that runs it (Lua 5.1 only). Weak in both: the outer one holds the inner.
protect.parent = setmetatable({}, { __mode = "kv" })

local function traceback(err)
  if type(err) ~= "string" and type(err) ~= "number" then return err end
  return debug.traceback(tostring(err), 2)
end

local function pass_on(co, ok, ...)
  if not ok then
    local err = ...
    return false, type(err) == "string" and debug.traceback(co, err) or err
  end
  if coroutine.status(co) == "dead" then return true, ... end
  return pass_on(co, coroutine.resume(co, coroutine.yield(...)))
end

local function call_in_coroutine(fn, ...)
  local co = coroutine.create(fn)
  protect.parent[co] = coroutine.running()
  return pass_on(co, coroutine.resume(co, ...))
end

--- Calls fn(...). Yields when fn does.
---@return boolean ok
---@return any     result  the first result and those after it, or the error, with a traceback when it is text
function protect.call(fn, ...)
  if not is_plain_51 then return xpcall(fn, traceback, ...) end
  if coroutine.running() ~= nil then return call_in_coroutine(fn, ...) end
  local args, n = { ... }, select("#", ...)
  return xpcall(function() return fn(protect.unpack(args, 1, n)) end, traceback)
end

return protect
