-- SPDX-License-Identifier: MIT

-- The documentation as a test: every snippet runs or says why not, what the pages name and link to is there.
-- spec/code_docs_spec.lua compares it with the code.
local cjson = require "cjson"
local documented = require "spec.support.documented"
local pages = require "spec.support.pages"
local support = require "spec.support.sandbox"
local translation = require "spec.support.translation"

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
    assert.equal("run", block.marker, where .. ": say that it is run, or why not")
    -- A home of its own, for two blocks may make a client of one name.
    local text, status = support.shell(([[%s; export PATH=%s/bin:$PATH HOME=$(mktemp -d %s/XXXXXX)
      export XDG_STATE_HOME=$HOME XDG_CONFIG_HOME=$HOME; cd $HOME; timeout 60 sh -eu %s]]):format(environment, folder, folder, path))
    assert.equal(0, status, where .. "\n" .. text)
  end

  function RUNNERS.json(block, where)
    assert.is_true(pcall(cjson.decode, block.text), where .. ": is not JSON")
  end

  -- Shown, not run: output, and other programs' files.
  local SHOWN = documented.set_of { "", "text", "nginx", "ini", "yaml", "toml", "make", "console" }

  for _, path in ipairs(pages.list()) do
    for _, block in ipairs(pages.blocks(path)) do
      local where = ("%s:%d"):format(path, block.line)
      assert(block.marker == nil or block.marker == "run" or block.marker == "not run", where .. ": unknown marker")
      if block.marker == "not run" then
        it(where .. " says why it cannot run", function()
          assert.is_true(#block.reason > 10, where)
          if block.language ~= "sh" then return end
          write(folder .. "/snippet.sh", block.text)
          assert.equal("", (support.shell("sh -n " .. folder .. "/snippet.sh")), where)
        end)
      elseif not SHOWN[block.language] then
        it(where .. " run", function()
          assert.is_truthy(RUNNERS[block.language], where .. ": unknown language " .. block.language)
          RUNNERS[block.language](block, where)
        end)
      end
    end
  end
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
    if user == "fogcloud" and known_classes["fogcloud." .. name] then return true end
    for _, where in ipairs(user == "fogcloud" and { package.path, package.cpath } or {}) do
      if package.searchpath("fogcloud." .. name, where) then return true end
    end
    if separator == ":" or user == "fogcloud" or user == "metrics" then return documented.value(user)[name] ~= nil end
    return true -- a field
  end

  for _, path in ipairs(pages.list()) do
    it(path .. " names what exists", function()
      local text = pages.read(path)
      for user in pairs(documented.MODULES) do
        for before, separator, name in text:gmatch("([^%w_./-])" .. user .. "([:.])([%a_][%w_]*)") do
          local is_file = documented.set_of({ "lua", "luac", "pc", "so", "md", "1", "git", "mxchip", "com" })[name] or before == "@"
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
          for name in ("\n" .. block.text):gmatch "\n[^\n#]*%f[%a]make ([%l][%l-]*)%f[%s]" do
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

  it("lists every public call, and every kind of error", function()
    for _, page in ipairs { "README.md", "docs/zh/README.md" } do
      local text = pages.read(page)
      for _, user in ipairs { "fogcloud", "cloud", "session" } do
        for name in pairs(documented.functions_of(user).exported) do
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

-- Both languages -------------------------------------------------------------------------------------------------------

describe("the Chinese pages", function()
  for _, pair in ipairs(translation.PAGES) do
    local english, chinese = translation.sections(pair[1]), translation.sections(pair[2])

    it(pair[2] .. " says what each section of the English page says now", function()
      assert.equal(#english, #chinese)
      for i, section in ipairs(english) do
        local behind = ("%s is behind in '%s': say there what '%s' says, then lua5.4 scripts/zh.lua --update %s"):format(pair[2],
          chinese[i].heading, section.heading, pair[2])
        assert.equal(section.level, chinese[i].level, chinese[i].heading)
        assert.equal(section.sum, chinese[i].said, behind)
      end
    end)

    it(pair[2] .. " has the same blocks", function()
      local one, other = pages.blocks(pair[1]), pages.blocks(pair[2])
      assert.equal(#one, #other)
      for i, block in ipairs(one) do
        assert.same({ block.language, block.text, block.marker }, { other[i].language, other[i].text, other[i].marker })
      end
    end)

    it(pair[2] .. " has the same words in `code`", function()
      for i, section in ipairs(english) do
        assert.same(translation.words(section), translation.words(chinese[i] or { heading = "", text = "" }), section.heading)
      end
    end)
  end
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
