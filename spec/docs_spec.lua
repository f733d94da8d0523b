-- SPDX-License-Identifier: MIT

-- The documentation as a test: every Lua snippet runs, every name, option, default, kind of error and link is there,
-- and what is exported is documented.
local cjson = require "cjson"
local pages = require "spec.support.pages"
local reference = dofile "scripts/reference.lua"
local support = require "spec.support.sandbox"

local function set_of(list)
  local set = {}
  for _, name in ipairs(list) do set[name] = true end
  return set
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

describe("the snippets", function()
  local sandbox, folder, environment

  setup(function()
    sandbox = support.start()
    folder = support.shell("mktemp -d"):match "%S+"
    environment = ("export HOME=%s XDG_STATE_HOME=%s XDG_CONFIG_HOME=%s FOGCLOUD_BASE_URL=%s FOGCLOUD_CLIENT_ID=%s "
      .. "FOGCLOUD_CLIENT_SECRET=%s FOGCLOUD_CA_FILE=%s FOGCLOUD_APP_ID=%s TLS_PORT=%d"):format(folder, folder, folder,
      sandbox.url, sandbox.account.client_id, sandbox.account.client_secret, sandbox.ca_file, sandbox.app_id, sandbox.tls_port)
    -- `fogcloud` as it is installed, for the shell's blocks, which run in a folder of their own.
    local here = support.shell("pwd"):match "%S+"
    support.shell(("mkdir %s/bin; printf '#!/bin/sh\\nexec lua5.4 %s/bin/fogcloud \"$@\"\\n' > %s/bin/fogcloud; chmod +x %s/bin/fogcloud")
      :format(folder, here, folder, folder))
  end)
  teardown(function()
    sandbox:stop()
    support.shell("rm -rf " .. folder)
  end)
  before_each(function() sandbox:reset() end)

  local RUNNERS = {}

  function RUNNERS.lua(block, where)
    local path = folder .. "/snippet_spec.lua"
    write(path, block.text)
    local program = "spec/support/snippet.lua %s %s"
    if block.text:find "^describe%(" then program = "/usr/bin/busted %s # %s" end
    local text, status = support.shell(("%s; timeout 60 lua5.4 " .. program):format(environment, path, where))
    assert.equal(0, status, where .. "\n" .. text)
  end

  function RUNNERS.sh(block, where)
    local path = folder .. "/snippet.sh"
    write(path, block.text)
    if block.marker ~= "run" then return assert.equal("", (support.shell("sh -n " .. path)), where) end
    local text, status = support.shell(("%s; export PATH=%s/bin:$PATH; cd %s; timeout 60 sh -eu %s")
      :format(environment, folder, folder, path))
    assert.equal(0, status, where .. "\n" .. text)
  end

  function RUNNERS.json(block, where)
    assert.is_true(pcall(cjson.decode, block.text), where .. ": is not JSON")
  end

  -- Shown, not run: output, and other programs' files.
  local SHOWN = set_of { "", "text", "nginx", "ini", "yaml", "toml", "make", "console" }

  for _, path in ipairs(pages.list()) do
    for _, block in ipairs(pages.blocks(path)) do
      local where = ("%s:%d"):format(path, block.line)
      assert(block.marker == nil or block.marker == "run" or block.marker == "not run", where .. ": unknown marker")
      if block.marker == "not run" then
        it(where .. " says why it cannot run", function() assert.is_true(#block.reason > 10, where) end)
      elseif not SHOWN[block.language] then
        it(where .. " run", function()
          assert.is_truthy(RUNNERS[block.language], where .. ": unknown language " .. block.language)
          RUNNERS[block.language](block, where)
        end)
      end
    end
  end
end)

-- What the code says ---------------------------------------------------------------------------------------------------

-- The value of a local table of constants in a source.
local function constants(path, name)
  local source = pages.read(path)
  local text = source:match("\nlocal " .. name .. " = (%b{})")
  if path == "lua/fogcloud/cloud.lua" then
    local timed, creation = source:match "\nlocal TIMED, CREATION = (%b{}), (%b{})\n"
    text = name == "TIMED" and timed or creation
  end
  return assert(load("return " .. text, path .. " " .. name, "t", { math = math }))()
end

local function documented_fields(path, class)
  for _, doc in ipairs(reference.read(pages.read(path))) do
    if doc.class == class then
      local fields = {}
      for _, field in ipairs(doc.fields) do fields[field.name] = field end
      return fields
    end
  end
  error(path .. " has no class " .. class)
end

local function names(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = tostring(name) end
  table.sort(list)
  return list
end

local OPTIONS = {
  { "lua/fogcloud/config.lua", "fogcloud.Options", "SPEC" },
  { "lua/fogcloud/session_options.lua", "fogcloud.SessionOptions", "SPEC" },
  { "lua/fogcloud/open.lua", "fogcloud.OpenOptions", "SPEC" },
  { "lua/fogcloud/bulk.lua", "fogcloud.BulkOptions", "SPEC" },
  { "lua/fogcloud/sandbox/options.lua", "fogcloud.SandboxOptions", "OPTIONS", "lua/fogcloud/sandbox/init.lua" },
  { "lua/fogcloud/cloud.lua", "fogcloud.CallOptions", "TIMED" },
  { "lua/fogcloud/cloud.lua", "fogcloud.CreateOptions", "CREATION" },
}

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

  it("of publish and of devices are those of the code", function()
    local session, device = "lua/fogcloud/session.lua", "lua/fogcloud/device.lua"
    local function same(path, class) assert.same(names(constants(path, "OPTIONS")), names(documented_fields(session, class))) end
    same("lua/fogcloud/publications.lua", "fogcloud.PublishOptions")
    same("lua/fogcloud/subscriptions.lua", "fogcloud.SubscribeOptions")
    assert.same({ "qos", "timeout" }, names(documented_fields(device, "fogcloud.DeviceOnOptions")))
    assert.same({ "qos", "retained", "timeout", "wait" }, names(documented_fields(device, "fogcloud.SendOptions")))
  end)
end)

describe("docs/cli.md", function()
  local page = pages.read "docs/cli.md"
  local parser, commands = require("fogcloud.cli").parser()

  it("names every command, its actions, and no other", function()
    local documented = {}
    for row in page:match("## Commands\n\n(.-)\n\n"):gmatch "\n| (`%l[^|]*) |" do documented[row:match "`(%l+)"] = row end
    for _, name in ipairs(require("fogcloud.cli").COMMANDS) do assert.is_truthy(documented[name], name) end
    for name in pairs(documented) do assert.is_truthy(commands[name], name) end
    for _, command in ipairs(parser._commands) do
      for _, action in ipairs(command._commands) do
        assert.is_truthy(documented[command._name]:find(action._name, 1, true), command._name .. " " .. action._name)
      end
    end
  end)

  it("names no option that is not there, in any page", function()
    local known = {}
    local function note(element)
      for _, option in ipairs(element._options) do
        for _, alias in ipairs(option._aliases) do known[alias] = true end
      end
      for _, command in ipairs(element._commands) do note(command) end
    end
    note(parser)
    for name in pages.prose "docs/cli.md":gmatch "`[^`]-(%-%-%l[%l-]*)" do assert.is_truthy(known[name], name) end
    for _, path in ipairs(pages.list()) do
      for name in pages.read(path):gmatch "fogcloud %l[^`\n]- (%-%-%l[%l-]*)" do assert.is_truthy(known[name], path .. ": " .. name) end
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
    assert.equal((support.shell "lua5.4 scripts/manual.lua"), pages.read "docs/fogcloud.1", "make docs")
  end)
end)

describe("docs/sandbox.md", function()
  local page = pages.read "docs/sandbox.md"

  it("has the options of the command", function()
    local documented, parsed = {}, { json = true } -- which all commands have
    for row in page:gmatch "\n| (`%-%-[^|]+) |" do
      for flag in row:gmatch "`%-%-([%l-]+)" do documented[flag] = true end
    end
    for _, command in ipairs(require("fogcloud.cli").parser()._commands) do
      for _, option in ipairs(command._name == "sandbox" and command._options or {}) do
        parsed[option._aliases[#option._aliases]:match "^%-%-(.+)$"] = true
      end
    end
    parsed.help = nil
    assert.same(names(parsed), names(documented))
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
    local counters = documented_fields("lua/fogcloud/call.lua", "fogcloud.CallCounters")
    for name, field in pairs(documented_fields("lua/fogcloud/cloud.lua", "fogcloud.CloudStats")) do counters[name] = field end
    assert.same(names(counters), names(cloud:stats()))
    assert.same(names(documented_fields("lua/fogcloud/session.lua", "fogcloud.SessionStats")), names(of_session))
    assert.same(names(documented_fields("lua/fogcloud/init.lua", "fogcloud.Info")), names(require("fogcloud").info()))
  end)

  it("of an error are in the guide", function()
    local rows = pages.read("docs/guide-tokens.md"):match "\n| field | |\n(.-)\n\n"
    local documented = {}
    for cells in rows:gmatch "| (`[^|]+) |" do
      for name in cells:gmatch "`([%l_]+)`" do documented[name] = true end
    end
    local fields = documented_fields("lua/fogcloud/errors.lua", "fogcloud.Error")
    for name in pairs(fields) do assert.is_true(documented[name], name) end
  end)
end)

local MODULES = {
  fogcloud = { "fogcloud", "fogcloud" }, cloud = { "fogcloud.cloud", "Cloud" }, session = { "fogcloud.session", "Session" },
  device = { "fogcloud.device", "Device" }, metrics = { "fogcloud.metrics", "metrics" },
  sandbox = { "fogcloud.sandbox", "Sandbox" },
}

-- Functions by the name that users write: { documented = set, exported = set }.
local function functions_of(user)
  local path = package.searchpath(MODULES[user][1], package.path)
  local found = { documented = {}, exported = {}, package = {} }
  for _, doc in ipairs(reference.read(pages.read(path))) do
    if doc.target == MODULES[user][2] then
      local kind = doc.package and "package" or "documented"
      found[kind][doc.name] = doc
    end
  end
  for name, value in pairs(require(MODULES[user][1])) do
    if type(value) == "function" and not name:find "^__" and not found.package[name] then found.exported[name] = true end
  end
  return found
end

describe("what is exported", function()
  for user in pairs(MODULES) do
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

  it("is in docs/reference.md, which is fresh", function()
    assert.is_true(reference.page() == pages.read "docs/reference.md", "run: lua5.4 scripts/reference.lua >docs/reference.md")
  end)

  it("fails with kinds that exist", function()
    local kinds = set_of {}
    for kind in pages.read("lua/fogcloud/errors.lua"):match('for kind in %("([%l ]+)"'):gmatch "%l+" do kinds[kind] = true end
    local alias
    for _, doc in ipairs(reference.read(pages.read "lua/fogcloud/errors.lua")) do
      if doc.class == "fogcloud.ErrorKind" then alias = doc.alias.text end
    end
    local documented = {}
    for kind in alias:gmatch '"(%l+)"' do documented[kind] = true end
    assert.same(names(kinds), names(documented))
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

-- What the pages say ---------------------------------------------------------------------------------------------------

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local function classes()
  local set = {}
  for path in io.popen("find lua -name '*.lua'"):lines() do
    for _, class in pages.read(path):gmatch "@(%l+) ?%(?[%l]*%)? ?(fogcloud%.[%w.]+)" do set[class] = true end
  end
  return set
end

describe("the pages", function()
  local known_classes = classes()

  local function is_known(user, separator, name)
    local entry = MODULES[user]
    if user == "fogcloud" and known_classes["fogcloud." .. name] then return true end
    if user == "fogcloud" and (name == "core" or package.searchpath("fogcloud." .. name, package.path)) then return true end
    if separator == ":" or user == "fogcloud" or user == "metrics" then return require(entry[1])[name] ~= nil end
    return true -- a field
  end

  for _, path in ipairs(pages.list()) do
    it(path .. " names what exists", function()
      local text = pages.read(path)
      for user in pairs(MODULES) do
        for before, separator, name in text:gmatch("([^%w_./-])" .. user .. "([:.])([%a_][%w_]*)") do
          local is_file = set_of({ "lua", "so", "md", "1", "git", "mxchip", "com" })[name] or before == "@"
          if not is_file then
            assert.is_true(is_known(user, separator, name), ("%s names %s%s%s"):format(path, user, separator, name))
          end
        end
      end
    end)

    it(path .. " links to what is there", function()
      local folder = path:match "^(.*/)" or ""
      for target in pages.prose(path):gmatch "%]%(([^)%s]+)%)" do
        if not target:find "^https?:" then
          local file, anchor = target:match "^([^#]*)#?(.*)$"
          local resolved = file == "" and path or (folder .. file):gsub("[^/]+/%.%./", "")
          assert.is_true(exists(resolved), path .. " links to " .. target)
          if anchor ~= "" then assert.is_true(pages.anchors(resolved)[anchor], path .. " links to " .. target) end
        end
      end
    end)
  end

  it("name environment variables that something reads", function()
    local sources = support.shell "cat $(find lua -name '*.lua') Makefile bench/* scripts/* bin/fogcloud src/*/*.c 2>/dev/null"
    for _, path in ipairs(pages.list()) do
      for name in pages.read(path):gmatch "%f[%w_](FOGCLOUD_[%u_]+)" do
        local prefix = name:find "_$" ~= nil -- FOGCLOUD_*
        assert.is_truthy(prefix or sources:find(name, 1, true), path .. " names " .. name)
      end
    end
    local all = support.shell "cat README.md docs/*.md"
    for name in pages.read("lua/fogcloud/config.lua"):gmatch '"(FOGCLOUD_[%u_]+)"' do assert.is_truthy(all:find(name, 1, true), name) end
  end)

  it("name make targets that exist", function()
    local targets = {}
    for name in ("\n" .. pages.read "Makefile"):gmatch "\n([%w-]+):" do targets[name] = true end
    for _, path in ipairs(pages.list()) do
      for _, block in ipairs(pages.blocks(path)) do
        if block.language == "sh" then
          for name in ("\n" .. block.text):gmatch "\n[^\n#]*%f[%a]make ([%l-]+)%f[%s]" do
            local by_luarocks = block.text:find("luarocks make " .. name, 1, true)
            assert.is_truthy(by_luarocks or targets[name], ("%s: make %s"):format(path, name))
          end
        end
      end
    end
  end)
end)

describe("README.md", function()
  it("shows a program that runs as pasted before its line 25", function()
    local first = pages.blocks("README.md")[1]
    assert.equal("lua", first.language)
    assert.is_nil(first.marker)
    assert.matches('^local fogcloud = require "fogcloud"\n', first.text)
    assert.is_true(first.last <= 25)
  end)

  it("has the same blocks as README.zh.md", function()
    local english, chinese = pages.blocks "README.md", pages.blocks "README.zh.md"
    assert.equal(#english, #chinese)
    for i, block in ipairs(english) do
      assert.equal(block.language, chinese[i].language)
      assert.equal(block.text, chinese[i].text)
    end
  end)

  it("lists every public call, and every kind of error", function()
    for _, page in ipairs { "README.md", "README.zh.md" } do
      local text = pages.read(page)
      for _, user in ipairs { "fogcloud", "cloud", "session" } do
        for name in pairs(functions_of(user).exported) do
          local found = text:find(("%s[:.]%s%%f[^%%w_]"):format(user, name))
          assert.is_truthy(found, ("%s does not name %s %s"):format(page, user, name))
        end
      end
      for kind in pages.read("lua/fogcloud/errors.lua"):match('for kind in %("([%l ]+)"'):gmatch "%l+" do
        assert.is_truthy(text:find("`" .. kind .. "`", 1, true), page .. " does not name the kind " .. kind)
      end
    end
  end)
end)

-- Error texts: the literals of the sources, joined where they are joined there.
local function literals()
  local text = support.shell "cat $(find lua -name '*.lua') src/*/*.c"
  return (text:gsub('"%s*%.%.%s*"', ""):gsub('"\n%s*"', ""):gsub('\\"', '"'))
end

-- Whether a line of source has the pieces of a heading between its "…", in order.
local function holds(line, heading)
  local position = 1
  for piece in (heading .. "…"):gmatch "(.-)…" do
    local from, to = line:find(piece, position, true)
    if from == nil then return false end
    position = to + 1
  end
  return true
end

describe("docs/troubleshooting.md", function()
  it("has headings that the code can really say", function()
    local sources, count = literals(), 0
    for heading in pages.prose("docs/troubleshooting.md"):gmatch "\n### `([^\n]+)`" do
      count = count + 1
      local found = false
      for line in sources:gmatch "[^\n]+" do found = found or holds(line, heading) end
      assert.is_true(found, heading)
    end
    assert.is_true(count >= 20)
  end)
end)
