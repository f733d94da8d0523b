-- SPDX-License-Identifier: MIT

--- Calls a function that may throw and may yield, on every Lua, and knows where Lua can yield at all.
--
-- Lua 5.2 and later and LuaJIT yield through xpcall. PUC Lua 5.1 cannot, so there the function runs in a coroutine of
-- its own whose yields are passed on; `protect.parent` tells whose coroutine it is.
--
-- An error that is Ctrl-C (lua.c and luajit.c throw it from a debug hook) is the program's, wherever it comes up: it
-- is noted here, and raised by whoever serves the tasks, not taken for an error of the handler that it came up in.
local protect = {}

--- table.unpack, by whatever name.
protect.unpack = table.unpack or rawget(_G, "unpack")

-- Lua's own function. nginx puts others in its place, which go through nginx's scheduler, where `require` cannot yield;
-- it keeps Lua's under another name.
local function original(name) return rawget(coroutine, "_" .. name) or coroutine[name] end

-- Told by what it does: LuaJIT calls itself 5.1, and a program may have taken its `jit` away.
local function yields_through_pcall()
  local co = original "create"(function() pcall(original "yield") end)
  original "resume"(co)
  return original "status"(co) == "suspended"
end

local is_plain_51 = not yields_through_pcall()

--- Whether Lua yields through no pcall.
protect.is_plain_51 = is_plain_51

--- Inner coroutine -> the coroutine that runs it (Lua 5.1 only). Weak in both: the outer one holds the inner.
protect.parent = setmetatable({}, { __mode = "kv" })

-- Ctrl-C ------------------------------------------------------------------------------------------------------------

--- The error of a Ctrl-C that was caught on its way; nil without one.
---@type string?
protect.interrupted = nil

--- Whether an error is what the interpreter throws on Ctrl-C: its text, a traceback behind it or not.
---@param err any
---@return boolean
function protect.is_interrupt(err)
  return type(err) == "string" and err:find("^[^\n]*interrupted!%f[\n%z]") ~= nil
end

--- Gives and forgets the Ctrl-C that was caught.
---@return string? err
function protect.take_interrupt()
  local err = protect.interrupted
  protect.interrupted = nil
  return err
end

-- Calling -----------------------------------------------------------------------------------------------------------

--- The text of an error with a traceback behind it: of the coroutine, or of who calls the caller's caller.
---@param text string
---@param co thread?
function protect.traced(text, co)
  local debug = rawget(_G, "debug")
  if debug == nil or debug.traceback == nil then return text end
  if co then return debug.traceback(co, text) end
  return debug.traceback(text, 3)
end

--- Notes an error that may be a Ctrl-C.
function protect.note(err)
  if protect.is_interrupt(err) then protect.interrupted = err:match("^[^\n]*") end
end

local function traceback(err)
  protect.note(err)
  if type(err) ~= "string" and type(err) ~= "number" then return err end
  return protect.traced(tostring(err))
end

local function untouched(err) return err end

local function with_traceback(err, co)
  protect.note(err)
  return type(err) == "string" and protect.traced(err, co) or err
end

local function pack(...) return { n = select("#", ...), ... } end

-- No tail calls: Lua 5.1 shows each of them as a level of the stack, which is_inside_c walks.
local function pass_on(co, of_error, ...)
  local got = pack(...)
  while got[1] and coroutine.status(co) ~= "dead" do
    got = pack(coroutine.resume(co, coroutine.yield(protect.unpack(got, 2, got.n))))
  end
  if not got[1] then return false, of_error(got[2], co) end
  return protect.unpack(got, 1, got.n)
end

-- Lua 5.1 makes coroutines of functions in Lua only: not of print, nor of another module's in C.
local function coroutine_of(fn)
  local ok, co = pcall(coroutine.create, fn)
  if ok then return co end
  protect.note(co) -- the Ctrl-C that came up in the call
  return coroutine.create(function(...) return fn(...) end)
end

local function call_in_coroutine(of_error, fn, ...)
  local co = coroutine_of(fn)
  protect.parent[co] = coroutine.running()
  return pass_on(co, of_error, coroutine.resume(co, ...))
end

--- Calls fn(...). Yields when fn does.
---@return boolean ok
---@return any     result  the first result and those after it, or the error, with a traceback when it is text
function protect.call(fn, ...)
  if not is_plain_51 then return xpcall(fn, traceback, ...) end
  if coroutine.running() ~= nil then return call_in_coroutine(with_traceback, fn, ...) end
  local args, n = { ... }, select("#", ...)
  return xpcall(function() return fn(protect.unpack(args, 1, n)) end, traceback)
end

local function finish(cleanup, ok, ...)
  if ok then return ... end
  cleanup()
  error((...), 0)
end

--- Calls fn(...) and gives its results. When it throws, calls cleanup(), and throws the same. Yields when fn does.
---@param cleanup fun()
function protect.guard(cleanup, fn, ...)
  if not is_plain_51 or coroutine.running() == nil then return finish(cleanup, pcall(fn, ...)) end
  return finish(cleanup, call_in_coroutine(untouched, fn, ...))
end

-- Where Lua can yield -----------------------------------------------------------------------------------------------

-- Functions in C of Lua 5.2 through which it yields.
local YIELDED_THROUGH = { [pcall] = true, [xpcall] = true, [rawget(_G, "dofile") or pcall] = true }

local DEEPEST = 200 -- levels that are looked at

-- Whether a function in C, other than those, is at work in the coroutine above its `level`.
local function is_inside_c(co, level)
  local debug = rawget(_G, "debug")
  if debug == nil or debug.getinfo == nil then return false end
  local last = level + DEEPEST
  local info = debug.getinfo(co, level, "Sf")
  while info ~= nil and level < last do
    if info.what == "C" and (is_plain_51 or not YIELDED_THROUGH[info.func]) then return true end
    level = level + 1
    info = debug.getinfo(co, level, "Sf")
  end
  return false
end

-- Lua 5.1 has no other way to tell. Metamethods and iterators, which it cannot yield through either, leave no trace.
local function can_yield_51(co)
  if co == nil or is_inside_c(co, 2) then return false end
  co = protect.parent[co]
  while co ~= nil do
    if is_inside_c(co, 1) then return false end -- level 0 is the coroutine.resume of pass_on
    co = protect.parent[co]
  end
  return true
end

local function can_yield_52()
  local co, is_main = coroutine.running()
  return not is_main and not is_inside_c(co, 2)
end

--- What to say where it cannot.
protect.CANNOT_YIELD = "fogcloud: Lua cannot wait here, inside a function that does not let it yield (table.sort, "
  .. "string.gsub, require; on Lua 5.1 also pcall): make the call before or after, or in fogcloud.spawn(function() "
  .. "... end)"

local function can_look() -- on Lua 5.2
  local debug = rawget(_G, "debug")
  return debug ~= nil and debug.getinfo ~= nil
end

--- Whether it takes a try to be sure that one can yield: on Lua 5.1, and on 5.2 without debug.getinfo.
protect.must_try = is_plain_51 or (coroutine.isyieldable == nil and not can_look())

--- Whether the running code can yield: not outside of coroutines, nor where a function in C has called it that does not
--- let it (table.sort, string.gsub, require; on Lua 5.1 also pcall). Where it takes a try to be sure
--- (must_try), it may be true where a yield raises.
---@return boolean
function protect.can_yield()
  if coroutine.isyieldable then return coroutine.isyieldable() end
  if is_plain_51 then return can_yield_51(coroutine.running()) end
  return can_yield_52()
end

return protect
