-- SPDX-License-Identifier: MIT

-- The documentation against the code: every name, option, default, number and kind of error is there, and what is
-- exported is documented.
local documented = require "spec.support.documented"
local refused = require "fogcloud.cli.refused"
local pages = require "spec.support.pages"
local support = require "spec.support.sandbox"

local constants, documented_fields, functions_of = documented.constants, documented.fields, documented.functions_of
local names, reference, set_of = documented.names, documented.reference, documented.set_of

local OPTIONS = {
  { "lua/fogcloud/config.lua", "fogcloud.Options", "SPEC" },
  { "lua/fogcloud/mqtt/options.lua", "fogcloud.SessionOptions", "SPEC" },
  { "lua/fogcloud/api/open.lua", "fogcloud.OpenOptions", "SPEC" },
  { "lua/fogcloud/api/bulk.lua", "fogcloud.BulkOptions", "SPEC" },
  { "lua/fogcloud/sandbox/options.lua", "fogcloud.SandboxOptions", "OPTIONS", "lua/fogcloud/sandbox/init.lua" },
  { "lua/fogcloud/api/cloud.lua", "fogcloud.CallOptions", "TIMED" },
  { "lua/fogcloud/api/cloud.lua", "fogcloud.CreateOptions", "CREATION" },
}

-- What the prose and the help say of numbers in the code: a page, and a text with the numbers in it.
local function prose()
  local bulk, retry = documented.numbers "lua/fogcloud/api/bulk.lua", require "fogcloud.api.retry"
  local options, session = constants("lua/fogcloud/config.lua", "DEFAULTS"), constants("lua/fogcloud/mqtt/options.lua", "DEFAULTS")
  local concurrency = ("calls in flight at most, default %d, at most %d"):format(bulk.DEFAULT_MAX, bulk.MAX)
  local spelt = { [3] = "Three", [4] = "Four", [5] = "Five" }
  return {
    { "lua/fogcloud/api/bulk.lua", concurrency }, { "lua/fogcloud/cli/permission.lua", concurrency },
    { "docs/guide-tokens.md", ("%s attempts at most, after waits drawn from 0 to %g, %g and %g s"):format(spelt[retry.ATTEMPTS],
      retry.BASE, 2 * retry.BASE, 4 * retry.BASE) },
    { "docs/guide-tokens.md", ("`timeout`, default %d s"):format(options.timeout) },
    { "docs/guide-tokens.md", ("`attempt_timeout` (%d s)"):format(options.attempt_timeout) },
    { "docs/guide-sessions.md", ("up to %d, %d, %d … %d s (`backoff_base`, `backoff_cap`)"):format(session.backoff_base,
      2 * session.backoff_base, 4 * session.backoff_base, session.backoff_cap) },
    { "lua/fogcloud/cli/init.lua", ("all its attempts, default %d"):format(options.timeout) },
    { "docs/cli.md", ("for %d seconds at most"):format(documented.numbers("lua/fogcloud/cli/simulate.lua").LAST) },
  }
end

local MEBI = 1024 * 1024

local function default_text(value)
  if value == math.huge then return "without end" end
  if type(value) == "number" and value >= MEBI then return ("%d MiB"):format(value / MEBI) end
  if type(value) == "string" then return '"' .. value .. '"' end
  return tostring(value)
end

describe("the options", function()
  for _, entry in ipairs(OPTIONS) do
    it(entry[2] .. " are those of the code", function()
      assert.same(names(constants(entry[1], entry[3])), names(documented_fields(entry[4] or entry[1], entry[2])))
    end)
  end

  it("have the defaults that are documented", function()
    for _, entry in ipairs { OPTIONS[1], OPTIONS[2] } do
      local fields = documented_fields(entry[1], entry[2])
      for name, value in pairs(constants(entry[1], "DEFAULTS")) do
        local text, expected = fields[name].text, default_text(value)
        local said = text:find("default " .. expected, 1, true) or text:find(expected .. " (default)", 1, true)
        assert.is_truthy(said, ("%s: %s is %s, and the annotation says: %s"):format(entry[2], name, expected, text))
      end
    end
  end)

  it("have the numbers that prose and help say", function()
    for _, claim in ipairs(prose()) do
      assert.truthy(pages.read(claim[1]):find(claim[2], 1, true), ("%s does not say: %s"):format(claim[1], claim[2]))
    end
  end)

  it("of publish and of devices are those of the code", function()
    local session, device = "lua/fogcloud/mqtt/session.lua", "lua/fogcloud/mqtt/device.lua"
    local function same(path, class) assert.same(names(constants(path, "OPTIONS")), names(documented_fields(session, class))) end
    same("lua/fogcloud/mqtt/publications.lua", "fogcloud.PublishOptions")
    same("lua/fogcloud/mqtt/subscriptions.lua", "fogcloud.SubscribeOptions")
    assert.same(names(constants(device, "ON")), names(documented_fields(device, "fogcloud.DeviceOnOptions")))
    assert.same(names(constants(device, "SEND")), names(documented_fields(device, "fogcloud.SendOptions")))
  end)
end)

describe("docs/cli.md", function()
  local page = pages.read "docs/cli.md"
  local parser, commands = require("fogcloud.cli").parser()

  it("names every command, its actions, and no other", function()
    local listed = {}
    for row in page:match("## Commands\n\n(.-)\n\n"):gmatch "\n| (`%l[^|]*) |" do listed[row:match "`(%l+)"] = row end
    for _, name in ipairs(require("fogcloud.cli").COMMANDS) do assert.is_truthy(listed[name], name) end
    for name in pairs(listed) do assert.is_truthy(commands[name], name) end
    for _, command in ipairs(parser._commands) do
      for _, action in ipairs(command._commands) do
        assert.is_truthy(listed[command._name]:find(action._name, 1, true), command._name .. " " .. action._name)
      end
    end
  end)

  -- The options of an element and of those below it.
  local function note(known, element)
    for _, option in ipairs(element._options) do
      for _, alias in ipairs(option._aliases) do known[alias] = true end
    end
    for _, command in ipairs(element._commands) do note(known, command) end
    return known
  end
  local everything, shared, of = note({}, parser), note({}, { _options = parser._options, _commands = {} }), {}
  for _, command in ipairs(parser._commands) do of[command._name] = note({}, command) end

  -- What follows `fogcloud` up to the end of the command, with the options that it has and that its command has not.
  local function unknown_options(text)
    local name
    for word in text:gmatch "%S+" do
      if name == nil and of[word] then name = word end
    end
    local wrong = {}
    for option in text:gmatch "%f[%S](%-%-?%a[%l-]*)" do
      local known = name and (of[name][option] or shared[option]) or name == nil and everything[option]
      -- `-q1`, `-lr`: short ones with a value, or several in one word.
      if not known and not (option:find "^%-%a" and of[name or ""] and of[name][option:sub(1, 2)]) then wrong[#wrong + 1] = option end
    end
    return wrong
  end

  it("names no option that is not there, in any page", function()
    assert.same({ "--nonsense" }, unknown_options "permission grant --devices f --nonsense")
    assert.same({ "--devices" }, unknown_options "--profile work login --devices f")
    for line in pages.prose "docs/cli.md":gmatch "[^\n]+" do
      local first = line:match "^| (`.-) |" or "" -- what is refused stands there only
      for name in line:gmatch "`[^`]-(%-%-%l[%l%d-]*)" do
        assert.is_truthy(everything[name] or refused.of_mosquitto(name) and first:find(name, 1, true), name)
      end
    end
    for name in pairs(refused.options()) do
      assert.is_truthy(pages.read "docs/cli.md":find(("\n| [^|\n]*`%s"):format(name:gsub("%-", "%%-"))), name)
    end
    for _, path in ipairs(pages.list()) do
      for text in pages.read(path):gmatch "%f[%w]fogcloud ([%l%-][^`|;#&<>\n]*)" do
        assert.same({}, unknown_options(text), path .. ": fogcloud " .. text)
      end
    end
  end)

  it("has the exit codes of the code", function()
    local codes = {}
    for code in page:match("## Exit codes\n\n(.-)\n\n"):gmatch "\n| (%d) |" do codes[#codes + 1] = tonumber(code) end
    local real = {}
    for _, code in pairs(require "fogcloud.cli.exit") do
      if type(code) == "number" then real[#real + 1] = code end
    end
    table.sort(real)
    assert.same(real, codes)
  end)

  it("has a manual page that is the parser's", function()
    local page_of_manual = pages.read "docs/fogcloud.1"
    assert.is_true((support.shell "lua5.4 scripts/manual.lua") == page_of_manual, "run: make docs")
    for name in pages.read("lua/fogcloud/config.lua"):gmatch '"(FOGCLOUD_[%u_]+)"' do
      assert.is_truthy(page_of_manual:find(name, 1, true), name)
    end
    assert.is_truthy(page_of_manual:find("FOGCLOUD_LOG", 1, true))
    local format = "command -v man >/dev/null || exit 0; LC_ALL=C.UTF-8 man --warnings -l docs/fogcloud.1 2>&1 >/dev/null"
    assert.equal("", (support.shell(format)))
  end)
end)

describe("docs/sandbox.md", function()
  local page = pages.read "docs/sandbox.md"

  it("has the options of the command", function()
    local listed, parsed = {}, { json = true } -- which all commands have
    for row in page:gmatch "\n| (`%-%-[^|]+) |" do
      for flag in row:gmatch "`%-%-([%l-]+)" do listed[flag] = true end
    end
    for _, command in ipairs(require("fogcloud.cli").parser()._commands) do
      for _, option in ipairs(command._name == "sandbox" and command._options or {}) do
        parsed[option._aliases[#option._aliases]:match "^%-%-(.+)$"] = true
      end
    end
    parsed.help = nil
    assert.same(names(parsed), names(listed))
  end)

  it("names every option of start and every method", function()
    local fields = documented_fields("lua/fogcloud/sandbox/init.lua", "fogcloud.SandboxOptions")
    for name in pairs(fields) do assert.is_truthy(page:find("`" .. name .. "`", 1, true), name) end
    for name, value in pairs(require "fogcloud.sandbox") do
      local public = type(value) == "function" and not name:find "^__"
      assert.is_truthy(not public or page:find(":" .. name .. "(", 1, true) or page:find("`" .. name .. "(", 1, true), name)
    end
  end)
end)

describe("the figures that are documented", function()
  local sandbox
  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)

  it("are those that there are", function()
    local cloud = support.cloud(sandbox)
    local session = assert(cloud:connect(support.client(sandbox, cloud)))
    local of_session = session:stats()
    session:close()
    local counters = documented_fields("lua/fogcloud/api/call.lua", "fogcloud.CallCounters")
    for name, field in pairs(documented_fields("lua/fogcloud/api/cloud.lua", "fogcloud.CloudStats")) do counters[name] = field end
    assert.same(names(counters), names(cloud:stats()))
    assert.same(names(documented_fields("lua/fogcloud/mqtt/session.lua", "fogcloud.SessionStats")), names(of_session))
    assert.same(names(documented_fields("lua/fogcloud/init.lua", "fogcloud.Info")), names(require("fogcloud").info()))
  end)

  it("of an error are in the guide", function()
    local rows = pages.read("docs/guide-tokens.md"):match "\n| field | |\n(.-)\n\n"
    local listed = {}
    for cells in rows:gmatch "| (`[^|]+) |" do
      for name in cells:gmatch "`([%l_]+)`" do listed[name] = true end
    end
    local fields = documented_fields("lua/fogcloud/errors.lua", "fogcloud.Error")
    for name in pairs(fields) do assert.is_true(listed[name], name) end
  end)
end)

describe("what is exported", function()
  for user in pairs(documented.MODULES) do
    it("by " .. user .. " is documented, with every argument", function()
      local found = functions_of(user)
      assert.same(names(found.exported), names(found.documented))
      for name, doc in pairs(found.documented) do
        assert.is_true(#doc.text > 0, user .. "." .. name .. " has no sentence")
        local params = {}
        for _, param in ipairs(doc.params) do params[#params + 1] = param.name end
        local args = {}
        for arg in doc.args:gmatch "[%w_.]+" do args[#args + 1] = arg end
        if user ~= "sandbox" then assert.same(args, params, user .. "." .. name) end
      end
    end)
  end

  it("is in the reference, which is fresh, and every page of it is in its index", function()
    local index, count = pages.read "docs/reference.md", 0
    for path, text in pairs(reference.files()) do
      assert.is_true(text == pages.read(path), "run: make docs")
      if path ~= "docs/reference.md" then
        count = count + 1
        assert.truthy(index:find("(" .. path:gsub("^docs/", "") .. ")", 1, true), path)
      end
    end
    assert.equal(count, select(2, support.shell "ls docs/reference/*.md":gsub("\n", "")))
  end)

  it("fails with kinds that exist", function()
    local kinds = set_of {}
    for kind in pages.read("lua/fogcloud/errors.lua"):match('for kind in %("([%l ]+)"'):gmatch "%l+" do kinds[kind] = true end
    local alias
    for _, doc in ipairs(reference.read(pages.read "lua/fogcloud/errors.lua")) do
      if doc.class == "fogcloud.ErrorKind" then alias = doc.alias.text end
    end
    local listed = {}
    for kind in alias:gmatch '"(%l+)"' do listed[kind] = true end
    assert.same(names(kinds), names(listed))
    for _, chapter in ipairs(reference.CHAPTERS) do
      for _, doc in ipairs(reference.chapter(chapter)) do
        for _, value in ipairs(doc.returns) do
          local list = value.text:match "kinds?: ([%l, ]+)" or ""
          if not list:find "those of" then
            for kind in list:gsub("; .*", ""):gmatch "%f[%l]%l+%f[%L]" do
              local known = kinds[kind] or kind == "with" or kind == "wait" or kind == "also"
              assert.is_truthy(known, ("%s: kind %s"):format(doc.name, kind))
            end
          end
        end
      end
    end
  end)
end)
