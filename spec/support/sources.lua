-- SPDX-License-Identifier: MIT

--- Our sources as specs of the tree itself see them: which there are, their text, and what requires what.
local pages = require "spec.support.pages"

local sources = { read = pages.read }

--- What a shell command prints, line by line.
function sources.lines_of(command)
  local pipe = assert(io.popen(command))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  return lines
end

sources.C = sources.lines_of "ls src/*/*.c src/*/*.h"
sources.LUA = sources.lines_of "find lua -name '*.lua' | sort"
assert(#sources.C > 50 and #sources.LUA > 50, "the sources were not found")

--- Whether one of the patterns is found in a text.
function sources.any(text, patterns)
  for _, pattern in ipairs(patterns) do
    if text:find(pattern) then return true end
  end
  return false
end

--- C without comments, strings and characters, line by line as it was.
function sources.bare(text)
  local function lines_only(s) return (s:gsub("[^\n]", "")) end
  local out, at = {}, 1
  while true do
    local open = text:find("[\"'/]", at)
    if open == nil then break end
    out[#out + 1] = text:sub(at, open - 1)
    local two = text:sub(open, open + 1)
    local close = open
    if two == "/*" then
      close = select(2, text:find("*/", open + 2, true))
    elseif two == "//" then
      close = (text:find("\n", open, true) or #text + 1) - 1
    elseif two:sub(1, 1) == "/" then
      out[#out + 1] = "/"
    else
      close = open + 1
      while text:sub(close, close) ~= two:sub(1, 1) do close = close + (text:sub(close, close) == "\\" and 2 or 1) end
      out[#out + 1] = '""'
    end
    out[#out + 1] = lines_only(text:sub(open, close))
    at = close + 1
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out)
end

--- The name under which a file below lua/ is required.
function sources.module_of(path)
  return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

-- What an argument of require names: a module; or, where it is put together, all that its beginning may become.
local function add_named(found, argument, path)
  local named = 0
  for text, after in argument:gmatch "[\"']([%w_.]*)[\"']%s*(%.?%.?)" do
    named = named + 1
    if after == ".." then
      for _, other in ipairs(sources.LUA) do
        local module = sources.module_of(other)
        if module:sub(1, #text) == text then found[#found + 1] = module end
      end
    elseif text:find "^fogcloud%f[.%z]" then
      found[#found + 1] = text
    end
  end
  assert(named > 0, path .. ": nobody can tell what it requires: " .. argument)
end

--- The modules of ours that a file requires, by a name that stands there or one that it puts together; pcall(require,
--- ...) too.
function sources.required(path)
  local found = {}
  local text = ("\n" .. sources.read(path)):gsub("\n%s*%-%-[^\n]*", "\n")
  for next_to, at in text:gmatch "%f[%w_]require%f[^%w_]%s*([(,\"'])()" do
    local argument = text:match(next_to == "(" and "^%b()" or "^[^\n]*", at - 1)
    add_named(found, next_to == "," and argument:match "^,([^,)]*)" or argument:match "^([\"'][^\"']*[\"'])" or argument, path)
  end
  return found
end

return sources
