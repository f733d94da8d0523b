-- SPDX-License-Identifier: MIT

-- What of docs/zh/ is behind its English page: `lua5.4 scripts/zh.lua` says which sections, with the checksums that
-- they should carry. Once a section says again what the English one says, `lua5.4 scripts/zh.lua --update PAGE…` writes
-- the checksums of these Chinese pages anew (all pages without a name). spec/docs_spec.lua fails while one is behind.
package.path = "./?.lua;" .. package.path
local translation = require "spec.support.translation"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

local function update(pair)
  local sections, n, out, inside = translation.sections(pair[1]), 0, {}, false
  for line in read(pair[2]):gmatch "([^\n]*)\n" do
    if line:find "^%s*```" then inside = not inside end
    if not inside and line:find "^#+ " then
      n = n + 1
      out[#out + 1] = ("<!-- en: %s -->"):format(assert(sections[n], pair[2] .. ": has more sections").sum)
    end
    if inside or not line:find "^<!%-%- en: %x+ %-%->$" then out[#out + 1] = line end
  end
  assert(n == #sections, ("%s: has %d sections, the English page %d"):format(pair[2], n, #sections))
  local file = assert(io.open(pair[2], "w"))
  file:write(table.concat(out, "\n"), "\n")
  file:close()
end

local function tell(pair)
  local english, chinese = translation.sections(pair[1]), translation.sections(pair[2])
  for i = 1, math.max(#english, #chinese) do
    local one, other = english[i] or {}, chinese[i] or {}
    if one.sum ~= other.said then
      local line = "%s  %s  <!-- en: %s -->  %s"
      print(line:format(pair[2], one.heading or "(none)", one.sum or "none", other.heading or "(none)"))
    end
  end
end

local wanted = {}
for i = arg[1] == "--update" and 2 or 1, #arg do wanted[arg[i]] = true end
for _, pair in ipairs(translation.PAGES) do
  if next(wanted) == nil or wanted[pair[2]] or wanted[pair[1]] then
    if arg[1] == "--update" then update(pair) else tell(pair) end
  end
end
