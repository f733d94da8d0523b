-- SPDX-License-Identifier: MIT

-- lua/fogcloud/_meta.lua tells lua-language-server of the C half what the C half is.
local core = require "fogcloud.core"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

local META = read("lua/fogcloud/_meta.lua")

local function names(pattern, text)
  local set = {}
  for name in (text or META):gmatch(pattern) do set[name] = true end
  return set
end

-- The fields of one class.
local function fields(class)
  local block = assert(META:match("%-%-%-@class " .. class:gsub("%p", "%%%0") .. "[^\n]*\n(.-)\nlocal ")
    or META:match("%-%-%-@class [%(%)exact ]*" .. class:gsub("%p", "%%%0") .. "\n(.-)\n\n"), class)
  return names("%-%-%-@field ([%w_]+)", block)
end

local function keys(of)
  local set = {}
  for name in pairs(of) do
    if not tostring(name):find("^__") then set[name] = true end
  end
  return set
end

describe("_meta.lua", function()
  it("names what fogcloud.core has", function()
    assert.same(keys(core), fields("fogcloud.core"))
    assert.same(keys(core.file), fields("fogcloud.core.File"))
    assert.same(keys(core.terminal), fields("fogcloud.core.Terminal"))
  end)

  it("names the methods of every userdata", function()
    local engine = assert(core.engine())
    assert.same(keys(getmetatable(engine).__index), names("function Engine:([%w_]+)"))
    local session = assert(engine:session())
    assert.same(keys(getmetatable(session).__index), names("function Session:([%w_]+)"))
    session:close()
    engine:close()
    local path = os.tmpname()
    local lock = assert(core.file.lock(path))
    assert.same(keys(getmetatable(lock).__index), names("function Lock:([%w_]+)"))
    lock:unlock()
    os.remove(path)
  end)

  it("says of every property of MQTT 5 where it may be set", function()
    local EXAMPLES = { string = "x", integer = 1, ["string[][]"] = { { "name", "value" } } }
    local known = {}
    for name, kind, where in META:match("fogcloud%.Properties\n(.-)\n\n"):gmatch("@field ([%w_]+) (%S-)%? +([^:;\n]+)") do
      known[name] = true
      for _, packet in ipairs { "publish", "will", "connect", "subscribe" } do
        local documented = (where .. ","):find("%f[%w]" .. packet .. "[,;]") ~= nil
        assert.equal(documented, (pcall(core.properties, { [name] = EXAMPLES[kind] }, packet)), name .. " in " .. packet)
      end
    end
    assert.same(names('{"([%w_]+)", *[%w_]+, *%u+,', read("src/mqtt/properties.c")), known)
  end)
end)
