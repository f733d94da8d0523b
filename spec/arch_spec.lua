-- SPDX-License-Identifier: MIT

-- The architecture as a test: who may include what, who may require whom, and how large anything may grow.

local function lines_of(command)
  local pipe = assert(io.popen(command))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  return lines
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

local C_FILES = lines_of("ls src/*/*.c src/*/*.h")
local LUA_FILES = lines_of("find lua -name '*.lua' | sort")

local function any(path, patterns)
  for _, pattern in ipairs(patterns) do
    if path:find(pattern) then return true end
  end
  return false
end

local function includes(header, allowed)
  for _, path in ipairs(C_FILES) do
    if read(path):find("#include [<\"]" .. header) then
      assert.is_true(any(path, allowed), path .. " includes " .. header)
    end
  end
end

describe("the C side", function()
  it("keeps each foreign header in its place", function()
    local bindings = { "src/binding/", "src/sandbox/binding" }
    includes("lua%.h", bindings)
    includes("lauxlib%.h", bindings)
    includes("MQTTAsync%.h", { "core/dispatcher", "core/bridge", "core/link", "core/paho_lean" })
    includes("curl/curl%.h", { "core/http", "core/process%.c" })
    includes("pthread%.h", {
      "core/queue", "core/process", "core/dispatcher", "core/bridge", "core/http", "core/inbox", "core/outbox",
      "core/paho_lean", "src/sandbox/",
    })
    includes("mosquitto", { "src/sandbox/plugin" })
    includes("microhttpd%.h", { "src/sandbox/" })
    includes("sqlite3%.h", { "src/sandbox/" })
  end)

  it("lets the core know nothing of the binding", function()
    for _, path in ipairs(C_FILES) do
      if path:find("^src/core/") then assert.is_nil(read(path):find("binding/", 1, true), path) end
    end
  end)

  it("never calls Lua from C", function()
    for _, path in ipairs(C_FILES) do
      local text = read(path)
      assert.is_nil(text:find("lua_p?callk? ?%("), path .. " calls Lua")
      assert.is_nil(text:find("lua_State %*[%w_]+;"), path .. " keeps a Lua state")
    end
  end)

end)

-- What each library may export; a plugin's names are mosquitto's.
local LIBRARIES = {
  ["fogcloud/core.so"] = { "^luaopen_fogcloud_core$" },
  ["fogcloud/sandbox/core.so"] = { "^luaopen_fogcloud_sandbox_core$" },
  ["fogcloud/sandbox/plugin.so"] = { "^mosquitto_plugin_version$", "^mosquitto_plugin_init$", "^mosquitto_plugin_cleanup$" },
}

describe("a library as built", function()
  local folder = assert(os.getenv("FOGCLOUD_BUILD"), "source scripts/env.sh first") .. "/"

  local function text_of(command) return table.concat(lines_of(command), "\n") end

  it("exports what its loader looks for and nothing else", function()
    for name, expected in pairs(LIBRARIES) do
      local exported = 0
      for _, line in ipairs(lines_of("nm -D --defined-only " .. folder .. name)) do
        local symbol = line:match("(%S+)$")
        assert.is_true(any(symbol, expected), name .. " exports " .. symbol)
        exported = exported + 1
      end
      assert.equal(#expected, exported, name)
    end
  end)

  it("is bound at loading, and read-only from then on", function()
    for name in pairs(LIBRARIES) do
      local dynamic, segments = text_of("readelf -dW " .. folder .. name), text_of("readelf -lW " .. folder .. name)
      assert.is_truthy(dynamic:find("BIND_NOW", 1, true), name)
      assert.is_truthy(segments:find("GNU_RELRO", 1, true), name)
      assert.is_truthy(segments:find("GNU_STACK[%s%w]+%sRW "), name .. ": an executable stack")
      assert.is_nil(dynamic:find("R%a*PATH"), name)
      assert.is_nil(dynamic:find("TEXTREL", 1, true), name)
    end
  end)

  it("checks its stack and its copies", function()
    for name in pairs(LIBRARIES) do
      local needed = text_of("nm -D --undefined-only " .. folder .. name)
      assert.is_truthy(needed:find("__stack_chk_fail", 1, true), name .. ": -fstack-protector-strong")
      assert.is_truthy(needed:find("_chk@", 1, true), name .. ": -D_FORTIFY_SOURCE=2")
    end
  end)

  it("stays mapped under running threads", function()
    for _, name in ipairs { "fogcloud/core.so", "fogcloud/sandbox/core.so" } do
      assert.is_truthy(text_of("readelf -dW " .. folder .. name):find("NODELETE", 1, true), name)
    end
  end)
end)

-- Modules from the face down. A module may require what stands in a later line, never its own line or an earlier one.
local LAYERS = {
  { "cli" },
  { "sandbox" },
  { "init" },
  { "cloud" },
  { "bulk", "open" },
  { "session" },
  { "device", "handlers", "keeper", "publications", "subscriptions" },
  { "journal" },
  { "call", "token" },
  { "leader" },
  { "runtime" },
  { "pump", "store" },
  { "host" },
  { "looped" },
  { "task" },
  { "joinable" },
  { "config", "diagnosis", "envelope", "log", "retry", "session_options", "router" },
  { "_meta", "deadline", "errors", "lease", "metrics", "protect", "timers", "topic" },
}

local function layer_of(module)
  local stem = module:gsub("^fogcloud%.?", "")
  if stem == "" then stem = "init" end
  stem = stem:match("^[^.]+")
  for depth, names in ipairs(LAYERS) do
    for _, name in ipairs(names) do
      if name == stem then return depth, stem end
    end
  end
  return nil, stem
end

local function module_of(path)
  return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

-- Requires that are made when a function is called, to break a circle of loading or to load on demand, are named here with their reason.
local LAZY = {
  ["fogcloud.host.plain -> fogcloud.runtime"] = "the first blocking wait makes the engine",
  ["fogcloud.sandbox -> fogcloud.cli"] = "text that its child process runs",
}

describe("the Lua side", function()
  it("requires downwards only", function()
    for _, path in ipairs(LUA_FILES) do
      local from = module_of(path)
      local depth, stem = layer_of(from)
      assert.is_truthy(depth, from .. " has no layer: add it to LAYERS")
      for name in read(path):gmatch("require%s*%(?%s*[\"'](fogcloud[%w_.]*)[\"']") do
        local to_depth, to_stem = layer_of(name)
        local inside = to_stem == stem -- the files of one folder
        if name ~= "fogcloud.core" and not LAZY[from .. " -> " .. name] and not inside then
          assert.is_truthy(to_depth, from .. " requires " .. name .. ", which has no layer")
          assert.is_true(to_depth > depth, from .. " requires " .. name .. ", which stands above it")
        end
      end
    end
  end)

  it("has no way from one host or store to another", function()
    for _, path in ipairs(LUA_FILES) do
      local folder = path:match("fogcloud/(host)/") or path:match("fogcloud/(store)/")
      if folder and not path:find("/init%.lua$") then
        for name in read(path):gmatch("require%s*%(?%s*[\"'](fogcloud[%w_.]*)[\"']") do
          local part_of_it = name:find(module_of(path) .. "_", 1, true) == 1
          assert.is_true(part_of_it or not name:find("^fogcloud%." .. folder .. "%.%w"), path .. " requires " .. name)
        end
      end
    end
  end)
end)

local MAX_FILE, MAX_FUNCTION = 400, 60

-- The longest function of a C file formatted as ours: it starts in the first column and ends with "}" there.
local function longest_c_function(text)
  local longest, since, name, n = 0, nil, nil, 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    n = n + 1
    if since == nil and line:find("^[%w_].*%) {$") or line:find("^    .*%) {$") and since == nil then
      since, name = n, line
    elseif since ~= nil and line == "}" then
      longest = math.max(longest, n - since + 1)
      since = nil
    end
  end
  return longest, name
end

local function longest_lua_function(text)
  local longest, open, n = 0, {}, 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    n = n + 1
    local indent = line:match("^(%s*)local function ") or line:match("^(%s*)function ")
    if indent and not line:find("%f[%w]end%s*$") then
      open[indent] = n
    elseif line:find("^%s*end") then
      local closing = line:match("^(%s*)end")
      if open[closing] then
        longest = math.max(longest, n - open[closing] + 1)
        open[closing] = nil
      end
    end
  end
  return longest
end

describe("docs/security.md", function()
  it("names specs and targets that exist", function()
    local named = 0
    for path in read("docs/security.md"):gmatch("`([specfuz]+/[%w_/]+%.%a+)`") do
      local file = io.open(path)
      assert.is_truthy(file, path)
      file:close()
      named = named + 1
    end
    assert.is_true(named > 20)
  end)
end)

describe("every source", function()
  it("names its licence in one line", function()
    for _, list in ipairs { C_FILES, LUA_FILES, lines_of("find spec scripts bench fuzz -name '*.lua' -o -name '*.c' -o -name '*.sh'") } do
      for _, path in ipairs(list) do
        assert.is_truthy(read(path):sub(1, 200):find("SPDX-License-Identifier: MIT", 1, true), path)
      end
    end
  end)

  it("stays within its limits", function()
    for _, path in ipairs(C_FILES) do
      local text = read(path)
      local _, count = text:gsub("\n", "")
      assert.is_true(count <= MAX_FILE, ("%s has %d lines"):format(path, count))
      local longest, name = longest_c_function(text)
      assert.is_true(longest <= MAX_FUNCTION, ("%s: a function of %d lines near %s"):format(path, longest, tostring(name)))
    end
    for _, path in ipairs(LUA_FILES) do
      local text = read(path)
      local _, count = text:gsub("\n", "")
      assert.is_true(count <= MAX_FILE, ("%s has %d lines"):format(path, count))
      local longest = longest_lua_function(text)
      assert.is_true(longest <= MAX_FUNCTION, ("%s: a function of %d lines"):format(path, longest))
    end
  end)
end)
