-- SPDX-License-Identifier: MIT

-- The architecture as a test: who may include what, who may require whom, and how large anything may grow.

local sources = require "spec.support.sources"

local any, bare, lines_of, module_of, read, required =
  sources.any, sources.bare, sources.lines_of, sources.module_of, sources.read, sources.required
local C_FILES, LUA_FILES = sources.C, sources.LUA

-- { [file] = { foreign = { header, ... }, own = { file, ... } } }
local function read_includes()
  local all = {}
  for _, path in ipairs(C_FILES) do
    local found = { foreign = {}, own = {} }
    for mark, name in read(path):gmatch("%f[^\n%z]%s*#%s*include%s*([<\"])([^>\"]+)") do
      if mark == "<" then
        table.insert(found.foreign, name)
      else
        local joined = path:gsub("[^/]+$", "") .. name
        table.insert(found.own, (joined:gsub("[^/]+/%.%./", "")))
      end
    end
    all[path] = found
  end
  return all
end

local INCLUDES = read_includes()

-- Calls fn with each file that `path` includes, through whatever stands between, and with itself.
local function each_included(path, fn, seen)
  seen = seen or {}
  if seen[path] then return end
  seen[path] = true
  fn(path)
  for _, own in ipairs(assert(INCLUDES[path], path .. " is included and does not exist").own) do
    each_included(own, fn, seen)
  end
end

-- Who may see a foreign header, be it through headers of ours.
local OF_LUA = { "src/binding/", "src/embed/", "src/durable/binding%.c", "src/paho/binding%.c", "src/sandbox/binding",
  "src/redis/binding" }
local REACHABLE = {
  ["^lua"] = OF_LUA,
  ["^lauxlib"] = OF_LUA,
  ["^MQTT"] = { "src/paho/" },
  ["^curl/"] = { "src/http/", "src/late/" },
  ["^mosquitto"] = { "src/sandbox/plugin" },
  ["^microhttpd"] = { "src/sandbox/" },
  ["^sqlite3"] = { "src/durable/", "src/sandbox/" },
  ["^hiredis"] = { "src/redis/" },
}
-- Who may include it: a lock, or a connection of OpenSSL's, stands in headers that many see.
local INCLUDABLE = {
  ["^openssl/"] = {
    "mqtt/tls", "mqtt/websocket", "mqtt/proxy", "mqtt/connection_options", "mqtt/native%.c", "base/probe%.c",
    "base/process_init%.c", "src/sandbox/", "redis/tls",
  },
  ["^pthread"] = {
    "base/queue", "base/process", "mqtt/thread_loop%.c", "http/http", "http/http_inbox", "mqtt/inbox", "mqtt/outbox",
    "mqtt/loop", "mqtt/resolver", "mqtt/tls", "src/late/",
    "src/sandbox/", "src/durable/", "base/port",
  },
}
-- Which folder may include which other.
local FOLDERS = {
  base = {}, http = { base = true }, mqtt = { base = true },
  binding = { base = true, http = true, mqtt = true }, sandbox = {}, redis = { base = true },
  durable = {}, embed = {}, late = {}, paho = { base = true, mqtt = true },
}
-- What the sandbox and Redis' client, rocks of their own, and the journal, a module of its own, take from the others: how
-- a class is made, and options read; and what the engine and the journal know of each other.
local SHARED = {
  ["src/binding/class.h"] = true, ["src/binding/util.h"] = true, ["src/durable/durable.h"] = true,
  ["src/mqtt/bytes.h"] = true, ["src/binding/driver_class.h"] = true,
}

-- Whatever may run a function, a metamethod or a chunk of the user's by name; and who may, to load our modules.
local CALLS = {
  "lua_p?callk?", "lua_resume", "lua_load", "luaL_callmeta", "luaL_tolstring", "luaL_do%l+", "luaL_requiref",
}

describe("the C side", function()
  it("keeps each foreign header in its place", function()
    local found = {}
    local function check(rules, path, by)
      for _, header in ipairs(INCLUDES[path].foreign) do
        for pattern, allowed in pairs(rules) do
          if header:find(pattern) then
            found[pattern] = true
            assert(any(by, allowed), ("%s sees <%s> through %s"):format(by, header, path))
          end
        end
      end
    end
    for _, path in ipairs(C_FILES) do
      check(INCLUDABLE, path, path)
      each_included(path, function(included) check(REACHABLE, included, path) end)
    end
    for _, rules in ipairs { REACHABLE, INCLUDABLE } do
      for pattern in pairs(rules) do assert.is_true(found[pattern], "nothing includes " .. pattern) end
    end
  end)

  it("lets the core know nothing of the binding, and neither of the sandbox", function()
    for _, path in ipairs(C_FILES) do
      local folder = path:match("^src/(%w+)/")
      for _, own in ipairs(INCLUDES[path].own) do
        local other = own:match("^src/(%w+)/")
        assert(other == folder or FOLDERS[folder][other] or SHARED[own], path .. " includes " .. own)
      end
    end
  end)

  -- { [file] = { [file] = a function of it that the first one names } }
  local function read_uses()
    local home, texts = {}, {}
    for _, path in ipairs(C_FILES) do
      if path:find("%.c$") then
        texts[path] = bare(read(path))
        for name in texts[path]:gmatch("\n%l[%w_ *]-%f[%w_](fog_[%w_]+)%b()%s*{") do home[name] = path end
      end
    end
    local uses = {}
    for path, text in pairs(texts) do
      uses[path] = {}
      for before, name in text:gmatch("(%a*)[ (*,{&]+%f[%w_](fog_[%w_]+)") do
        local other = before ~= "struct" and before ~= "enum" and home[name]
        if other and other ~= path then uses[path][other] = name end
      end
    end
    return uses
  end

  it("has no circles: no file calls one that calls it, through whatever stands between", function()
    local uses, state, found = read_uses(), {}, 0
    local function visit(path, way)
      assert.is_not_equal("open", state[path], way)
      if state[path] then return end
      state[path] = "open"
      for other, name in pairs(uses[path]) do
        found = found + 1
        visit(other, ("%s -> %s (%s)"):format(way, other, name))
      end
      state[path] = "done"
    end
    for path in pairs(uses) do visit(path, path) end
    assert.is_true(found > 50, "calls were not found")
  end)

  it("never calls Lua from C", function()
    for _, path in ipairs(C_FILES) do
      local text = bare(read(path))
      for _, name in ipairs(CALLS) do
        assert.is_true(path == "src/embed/embed.c" or not text:match("%f[%w_]" .. name .. "%s*%("), path)
      end
      for body in text:gmatch("%f[%w]struct%s*[%w_]*%s*(%b{})") do
        assert.is_nil(body:find("lua_State", 1, true), path .. " keeps a Lua state")
      end
    end
  end)
end)

-- What each library may export; a plugin's names are mosquitto's.
local LIBRARIES = {
  ["fogcloud/core.so"] = { "^luaopen_fogcloud_core$" },
  ["fogcloud/durable.so"] = { "^luaopen_fogcloud_durable$" },
  ["fogcloud/redis.so"] = { "^luaopen_fogcloud_redis$" },
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

  it("is built for systems without epoll by LOOP=poll", function()
    local how = text_of("make --no-print-directory -n LOOP=poll BUILD=build/none build/none/obj/mqtt/loop.o")
    assert.is_truthy(how:find("%-DFOG_LOOP_POLL.*src/mqtt/loop%.c"), how)
  end)

  it("stays mapped under running threads", function()
    for _, name in ipairs { "fogcloud/core.so", "fogcloud/durable.so", "fogcloud/redis.so", "fogcloud/sandbox/core.so" } do
      assert.is_truthy(text_of("readelf -dW " .. folder .. name):find("NODELETE", 1, true), name)
    end
  end)
end)

-- Modules from the face down. A module may require what stands in a later line, never its own line or an earlier one.
local LAYERS = {
  { "cli" },
  { "sandbox" },
  { "init" },
  { "fleet" },
  { "api.cloud" },
  { "api.bulk", "api.kept", "api.open" },
  { "mqtt.session" },
  { "mqtt.device", "mqtt.finish", "mqtt.handlers", "mqtt.keeper", "mqtt.publications", "mqtt.subscriptions" },
  { "mqtt.state", "mqtt.suspicion" },
  { "journal" },
  { "mqtt.durable" },
  { "api.call", "api.token" },
  { "store.lead" },
  { "service", "store.term" },
  { "runtime" },
  { "pump", "store" },
  { "store.hold" },
  { "store.holder" },
  { "host" },
  { "host.looped" },
  { "task.scheduler" },
  { "task.task" },
  { "mqtt.link_options", "mqtt.options" },
  { "config", "mqtt.diagnosis", "mqtt.drivers", "api.envelope", "log", "api.retry", "mqtt.router", "store.lease" },
  { "api.data" },
  { "_meta", "api.base_url", "check", "metrics", "mqtt.topic", "store.mark", "store.members",
    "store.record", "task.deadline", "task.protect", "task.timers",
    "task.waiters" },
  { "errors", "folders", "json", "version" },
  { "cjson" },
}

local DEPTHS = {}
for depth, names in ipairs(LAYERS) do
  for _, name in ipairs(names) do DEPTHS[name] = depth end
end

-- A module that is named above has a layer of its own, any other that of its folder.
local function layer_of(module)
  local stem = module:gsub("^fogcloud%.?", "")
  if stem == "" then stem = "init" end
  if DEPTHS[stem] == nil then stem = stem:match("^[^.]+") end
  return DEPTHS[stem], stem
end

-- Requires that are none of the file's own are named here with their reason.
local LAZY = {
  ["fogcloud.sandbox -> fogcloud.cli"] = "text that its child process runs",
}

-- Modules in C.
local IN_C = { ["fogcloud.core"] = true, ["fogcloud.durable"] = true, ["fogcloud.paho"] = true, ["fogcloud.redis"] = true,
  ["fogcloud.sandbox.core"] = true }

describe("the Lua side", function()
  it("requires downwards only", function()
    for _, path in ipairs(LUA_FILES) do
      local from = module_of(path)
      local depth, stem = layer_of(from)
      assert.is_truthy(depth, from .. " has no layer: add it to LAYERS")
      for _, name in ipairs(required(path)) do
        local to_depth, to_stem = layer_of(name)
        local inside = to_stem == stem -- the files of one folder
        if not IN_C[name] and not LAZY[from .. " -> " .. name] and not inside then
          assert.is_truthy(to_depth, from .. " requires " .. name .. ", which has no layer")
          assert.is_true(to_depth > depth, from .. " requires " .. name .. ", which stands above it")
        end
      end
    end
  end)

  it("has no circles, inside a folder neither", function()
    local state = {}
    local function visit(name, way)
      assert.is_not_equal("open", state[name], way)
      if state[name] then return end
      state[name] = "open"
      local path = "lua/" .. name:gsub("%.", "/")
      local file = io.open(path .. ".lua")
      path = path .. (file and ".lua" or "/init.lua")
      if file then file:close() end
      for _, to in ipairs(required(path)) do
        if not IN_C[to] and not LAZY[name .. " -> " .. to] then
          visit(to, way .. " -> " .. to)
        end
      end
      state[name] = "done"
    end
    for _, path in ipairs(LUA_FILES) do visit(module_of(path), module_of(path)) end
  end)

  it("has no way from one host or store to another", function()
    for _, path in ipairs(LUA_FILES) do
      local folder = path:match("fogcloud/(host)/") or path:match("fogcloud/(store)/")
      if folder and not path:find("/init%.lua$") then
        for _, name in ipairs(required(path)) do
          local part_of_it = name:find(module_of(path) .. "_", 1, true) == 1 or DEPTHS[name:gsub("^fogcloud%.", "")]
          assert.is_truthy(part_of_it or not name:find("^fogcloud%." .. folder .. "%.%w"), path .. " requires " .. name)
        end
      end
    end
  end)
end)

local MAX_FILE, MAX_FUNCTION = 400, 60

-- The longest function of a C file: braces at the top level behind parentheses.
local function longest_c_function(text)
  text = bare(text)
  local longest, name, at = 0, nil, 1
  while true do
    local open, close = text:find("%b{}", at)
    if open == nil then return longest, name end
    local head = text:sub(at, open - 1):match("([^;}\n][^;}]*%b())%s*$")
    if head then
      local _, length = (head:gsub("^%s+", "") .. text:sub(open, close)):gsub("\n", "")
      if length + 1 > longest then longest, name = length + 1, head:match("([%w_]+)%s*%b()$") end
    end
    at = close + 1
  end
end

-- { [path] = { lines, the first line } } of the longest function of each, by the compiler.
local function longest_lua_functions()
  local longest = {}
  for _, line in ipairs(lines_of("ls " .. table.concat(LUA_FILES, " ") .. " | xargs -n 1 luac5.4 -l -p")) do
    local path, first, last = line:match("^function <(.-):(%d+),(%d+)>")
    if path then
      local length = last - first + 1
      if length > (longest[path] or { 0 })[1] then longest[path] = { length, tonumber(first) } end
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

local FOLDERS_OF_OURS = "src lua spec fuzz soak scripts bench examples"

describe("every source", function()
  it("names its licence in one line", function()
    for _, path in ipairs(lines_of("find " .. FOLDERS_OF_OURS .. " -name '*.lua' -o -name '*.[ch]' -o -name '*.sh'")) do
      assert.is_truthy(read(path):sub(1, 200):find("SPDX-License-Identifier: MIT", 1, true), path)
    end
  end)

  it("stays within its limits", function()
    local measured = 0
    for _, path in ipairs(C_FILES) do
      local length, name = longest_c_function(read(path))
      assert(length <= MAX_FUNCTION, ("%s: %s has %d lines"):format(path, tostring(name), length))
      if path:find("%.c$") and length > 0 then measured = measured + 1 end
    end
    for path, one in pairs(longest_lua_functions()) do
      assert(one[1] <= MAX_FUNCTION, ("%s:%d: a function of %d lines"):format(path, one[2], one[1]))
      measured = measured + 1
    end
    assert(measured > 100, "functions were not found")
    for _, path in ipairs(lines_of("find " .. FOLDERS_OF_OURS .. " -name '*.[ch]' -o -name '*.lua'")) do
      local _, count = read(path):gsub("\n", "")
      assert(count <= MAX_FILE, ("%s has %d lines"):format(path, count))
    end
  end)
end)
