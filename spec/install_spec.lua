-- SPDX-License-Identifier: MIT

-- scripts/install.sh chooses among alternatives, whatever one index says: with an apt-get and a dpkg-query that only note
-- what they are asked for.
local support = require "spec.support.sandbox"

describe("scripts/install.sh", function()
  local folder

  local function fake(name, text)
    local file = assert(io.open(folder .. "/" .. name, "w"))
    file:write("#!/bin/sh\n", text)
    file:close()
    os.execute("chmod +x " .. folder .. "/" .. name)
  end

  setup(function()
    folder = support.shell("mktemp -d"):match "%S+"
    fake("apt-get", ([[echo "$*" >>%s/asked; if [ "$1" = update ]; then echo "no index" >&2; exit 100; fi]]):format(folder))
    fake("dpkg-query", [[printf 'installed zsh\ninstalled libclang-rt-14-dev\ndeinstalled fish\n']])
    fake("apt-cache", [[case $2 in luajit2) echo '  Candidate: (none)' ;; *) echo '  Candidate: 1.0' ;; esac]])
    fake("id", "echo 0")
  end)
  teardown(function() support.shell("rm -r " .. folder) end)
  before_each(function() os.remove(folder .. "/asked") end)

  local function install(suites, environment)
    local said, status = support.shell(("PATH=%s:$PATH %s scripts/install.sh %s"):format(folder, environment or "", suites))
    local file = io.open(folder .. "/asked")
    local asked = file and file:read "*a" or ""
    if file then file:close() end
    return asked, said, status
  end

  it("installs what is missing, though one source has no index", function()
    local asked, said, status = install "shells"
    assert.equal(0, status, said)
    assert.matches("^update %-q\ninstall .* fish\n$", asked)
    assert.is_nil(asked:find("zsh", 1, true))
    assert.matches("^Installing what is missing: fish", said)
  end)

  it("takes the alternative that is to be had, and none where one is there", function()
    local asked = install "core checkers"
    assert.matches(" luajit ", asked)
    assert.is_nil(asked:find("luajit2 ", 1, true))
    assert.is_nil(asked:find("libclang-rt", 1, true))
    assert.is_nil(asked:find("|", 1, true))
  end)

  it("installs nothing when it is told so, or when all is there", function()
    for _, case in ipairs { { "core", "FOGCLOUD_SKIP_INSTALL=1" }, { "nonsense" } } do
      local asked, said, status = install(case[1], case[2])
      assert.same({ "", "", 0 }, { asked, said, status })
    end
  end)

  it("knows a suite of each name of packages.txt", function()
    local suites = support.shell "env -u SUITES -u SANITIZE -u QUICK scripts/test.sh --suites"
    local known = " demo bench big-endian arm64 " .. suites:gsub("%s+$", "") .. " "
    for line in io.lines "scripts/packages.txt" do
      local suite = line:match "^([%w-]+) "
      if suite then assert.truthy(known:find(" " .. suite .. " ", 1, true), line) end
    end
  end)
end)
