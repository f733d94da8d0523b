-- SPDX-License-Identifier: MIT

-- Ways to install: both rocks, packed and put into an empty tree for each Lua, `make install`, and libraries in the
-- places of other systems. From each of them the quickstart runs.
local fogcloud = require "fogcloud"
local support = require "spec.support.sandbox"

local LUAS = {
  { name = "lua5.4", version = "5.4", include = "/usr/include/lua5.4" },
  { name = "lua5.3", version = "5.3", include = "/usr/include/lua5.3" },
  { name = "lua5.2", version = "5.2", include = "/usr/include/lua5.2" },
  { name = "lua5.1", version = "5.1", include = "/usr/include/lua5.1" },
  { name = "luajit", version = "5.1", include = "/usr/include/luajit-2.1" },
}

local ROCKS = { "fogcloud", "fogcloud-sandbox", "fogcloud-redis" }

-- What Debian installs where LuaRocks does not look for it; so dependencies are resolved, and nothing is downloaded.
local CONFIG = [[
rocks_provided = { ["lua-cjson"] = "2.1.0-1", luasocket = "3.1.0-1", luasec = "1.2.0-1", argparse = "0.7.1-1" }
rocks_servers = {}
]]

local function succeed(command, ...)
  local text, status = support.shell(command:format(...))
  assert.equal(0, status, command:format(...) .. "\n" .. text)
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

-- Runs the quickstart against a sandbox, both from the tree and nothing else of ours.
local function quickstart(tree, lua)
  return succeed([[cd / && export LUA_PATH='%s/share/lua/%s/?.lua;%s/share/lua/%s/?/init.lua;;' LUA_CPATH='%s/lib/lua/%s/?.so;;'
    unset FOGCLOUD_BUILD
    run=$(mktemp -d) && mkfifo $run/stdin && { %s %s/fogcloud.lua sandbox --until-eof <$run/stdin >$run/out & } && exec 3>$run/stdin
    i=0; until grep -q APP_ID $run/out || [ $i = 200 ]; do sleep 0.05; i=$((i + 1)); done
    . $run/out && %s %s; status=$?; exec 3>&-; wait; rm -rf $run; exit $status]],
    tree, lua.version, tree, lua.version, tree, lua.version, lua.name, tree, lua.name, tree .. "/quickstart.lua")
end

describe("fogcloud is installed", function()
  local folder, here

  setup(function()
    folder, here = succeed("mktemp -d"):match("%S+"), succeed("pwd"):match("%S+")
    -- A copy, so that two builds of one tree do not meet.
    succeed("mkdir %s/src && git ls-files -co --exclude-standard | tar -cf - -T - 2>/dev/null | tar -xf - -C %s/src", folder, folder)
    write(folder .. "/config.lua", CONFIG)
  end)
  teardown(function() support.shell("rm -rf " .. folder) end)

  -- The program as it was installed, where nothing says which Lua, which modules and which PATH.
  local function check_program(tree)
    local version = succeed("cd / && env -i %s/bin/fogcloud --version", tree)
    assert.matches("^fogcloud " .. fogcloud._VERSION:gsub("%.", "%%.") .. " %(Lua", version)
    local said, status = support.shell(("cd / && env -i HOME=/nowhere %s/bin/fogcloud product list"):format(tree))
    assert.same({ 2, 1 }, { status, (said:find("^fogcloud: option 'base_url' is missing")) }, said)
    return version
  end

  it("in one version everywhere", function()
    for _, rock in ipairs(ROCKS) do
      assert.truthy(io.open(("%s-%s-1.rockspec"):format(rock, fogcloud._VERSION)), rock)
    end
    -- What names the next release, or one of its files, in pages, rockspecs and the Makefile.
    local said = succeed([[grep -ohE -e 'fogcloud(-[a-z]+)?-[0-9]+\.[0-9]+\.[0-9]+|version = "[0-9.]+' \
      -e 'It becomes [0-9.]+[0-9]|tag v[0-9.]+[0-9]' README.md CHANGELOG.md CONTRIBUTING.md Makefile *.rockspec docs/*.md docs/zh/*.md]])
    local count = 0
    for version in said:gmatch("(%d+%.%d+%.%d+)\n") do
      assert.equal(fogcloud._VERSION, version, said)
      count = count + 1
    end
    assert.truthy(count > 10, said)
  end)

  it("by rockspecs that pass luarocks lint and differ in their version only", function()
    for _, rock in ipairs(ROCKS) do
      local texts = {}
      for i, version in ipairs { "dev-1", fogcloud._VERSION .. "-1" } do
        local path = ("%s-%s.rockspec"):format(rock, version)
        succeed("luarocks lint %s", path)
        local file = assert(io.open(path))
        texts[i] = file:read("*a"):gsub('version = "[^"]+"', ""):gsub("source = %b{}", ""):gsub('"fogcloud[ =.%d]*"', "")
        file:close()
      end
      assert.equal(texts[1], texts[2])
    end
  end)

  it("from a place that one variable names", function()
    local place = succeed("sed -n 's/^SOURCE ?= //p' Makefile"):match("%S+")
    for path in succeed("ls *.rockspec"):gmatch("%S+") do
      assert.equal(place, succeed("sed -n 's/^local SOURCE = \"\\(.*\\)\"$/\\1/p' %s", path):match("%S+"), path)
    end
  end)

  -- What `make dist` made, for a place in this folder.
  local function dist()
    local path = folder .. "/dist"
    if not io.open(path .. "/SHA256SUMS") then
      succeed("cd %s/src && make -s dist SOURCE=file://%s && cp -r build/dist %s", folder, path, path)
      succeed("cd %s && sha256sum --quiet -c SHA256SUMS", path)
    end
    return path
  end

  for _, lua in ipairs(LUAS) do
    it("from the tarball of make dist, as packed rocks in an empty tree, for " .. lua.name, function()
      local build, tree = ("%s/build-%s"):format(folder, lua.name), ("%s/tree-%s"):format(folder, lua.name)
      local luarocks = ("cd %s && LUAROCKS_CONFIG=%s/config.lua luarocks --lua-version %s"):format(dist(), folder, lua.version)
      for _, rock in ipairs(ROCKS) do
        local name = ("%s-%s-1"):format(rock, fogcloud._VERSION)
        succeed("%s --tree %s build %s.rockspec LUA_INCDIR=%s", luarocks, build, name, lua.include)
        succeed("%s --tree %s pack %s", luarocks, build, rock)
        succeed("%s --tree %s install %s.*.rock", luarocks, tree, name)
      end
      succeed("rm -rf %s %s/*.rock", build, dist())
      check_program(tree) -- LuaRocks' wrapper, for the Lua that it took
      succeed("test -f %s/lib/lua/%s/fogcloud/redis.so", tree, lua.version)
      succeed("test -f %s/share/lua/%s/fogcloud/_meta.lua && ls %s/lib/luarocks/rocks-%s/fogcloud/*/docs/fogcloud.1", tree, lua.version,
        tree, lua.version)
      succeed("cp %s/bin/fogcloud %s/fogcloud.lua && cp %s/examples/quickstart.lua %s/quickstart.lua", here, tree, here, tree)
      assert.matches("heard\td2c/dev1/status.-done\n$", quickstart(tree, lua))
    end)
  end

  it("by make install, below DESTDIR and PREFIX and nowhere else", function()
    local destination = folder .. "/destination"
    succeed("make -s install LUA=lua5.4 DESTDIR=%s PREFIX=/opt/fog", destination)
    local files = succeed("cd %s && find . -type f | sort", destination)
    for _, name in ipairs {
      "bin/fogcloud", "share/lua/5.4/fogcloud/init.lua", "share/lua/5.4/fogcloud/_meta.lua", "lib/lua/5.4/fogcloud/core.so",
      "lib/lua/5.4/fogcloud/redis.so", "lib/lua/5.4/fogcloud/sandbox/plugin.so",
      "share/lua/5.4/fogcloud/sandbox/console/index.html", "share/man/man1/fogcloud.1",
      "share/bash-completion/completions/fogcloud", "share/zsh/site-functions/_fogcloud", "share/fish/vendor_completions.d/fogcloud.fish",
    } do
      assert.truthy(files:find("./opt/fog/" .. name .. "\n", 1, true), name)
    end
    for name in files:gmatch("[^\n]+") do assert.matches("^%./opt/fog/", name) end
    succeed("bash -n %s/opt/fog/share/bash-completion/completions/fogcloud", destination)
  end)

  it("by make install below any PREFIX: relative, with blanks and quotes", function()
    for _, prefix in ipairs { "a b/c", "it's \"here\" $HOME", "back\\slash" } do
      local quoted = "'" .. prefix:gsub("'", "'\\''") .. "'"
      succeed("cd %s && rm -rf out && mkdir out && cd out && make -s -C %s build LUA=lua5.4", folder, here)
      succeed("cd %s && LUA=lua5.4 BUILD=%s/build PREFIX=%s/out/%s scripts/install_tree.sh", here, here, folder, quoted)
      assert.matches("^fogcloud", succeed("cd / && env -i %s/out/%s/bin/fogcloud --version", folder, quoted))
    end
    for _, prefix in ipairs { "'some where/else'", [["it's \"where\" else"]] } do -- by make itself
      succeed("cd %s/src && make -s install LUA=lua5.4 PREFIX=%s >/dev/null", folder, prefix)
      assert.matches("^fogcloud", succeed("cd / && env -i %s/src/%s/bin/fogcloud --version", folder, prefix))
    end
    assert.equal(2, select(2, support.shell(("cd %s && LUA=lua5.4 BUILD=build PREFIX='/tmp/a?b' scripts/install_tree.sh"):format(here))))
  end)

  it("and runs with any TMPDIR: blanks, quotes, none there, none that can be written to", function()
    local odd = folder .. "/a b'c\"d$e;f"
    succeed("mkdir -p %s", "'" .. odd:gsub("'", "'\\''") .. "'")
    for _, tmp in ipairs { odd, "/nowhere/at/all", "/proc", "relative" } do
      local quoted = "'" .. tmp:gsub("'", "'\\''") .. "'"
      assert.matches("done\n$", succeed("TMPDIR=%s timeout 60 scripts/demo.sh", quoted))
    end
    assert.equal("", succeed("ls -A %s", "'" .. odd:gsub("'", "'\\''") .. "'"))
  end)

  for _, lua in ipairs { LUAS[1], LUAS[5] } do
    it("by make install as a program that runs with nothing said, for " .. lua.name, function()
      local prefix = ("%s/prefix-%s"):format(folder, lua.name)
      succeed("make -s install LUA=%s PREFIX=%s", lua.name, prefix)
      assert.matches(lua.name == "luajit" and "LuaJIT" or "Lua 5.4", check_program(prefix))
      succeed("cp %s/bin/fogcloud %s/fogcloud.lua && cp %s/examples/quickstart.lua %s/quickstart.lua", prefix, prefix, here, prefix)
      assert.matches("done\n$", quickstart(prefix, lua))
    end)
  end
end)

-- A tree of symbolic links, as another system lays its libraries out.
local LAYOUTS = {
  ["Debian's multiarch folders"] = { include = "include/$(gcc -print-multiarch)", lib = "lib/$(gcc -print-multiarch)" },
  ["Fedora's lib64"] = { include = "include", lib = "lib64" },
  ["Homebrew's folder for each library"] = { include = "include", lib = "lib", apart = true },
}

describe("libraries are found in", function()
  local folder

  setup(function() folder = succeed("mktemp -d"):match("%S+") end)
  teardown(function() support.shell("rm -rf " .. folder) end)

  local function link(root, layout, headers, library)
    succeed([[mkdir -p %s/%s %s/%s && for h in %s; do for d in /usr/include /usr/include/$(gcc -print-multiarch); do
      [ ! -e $d/$h ] || ln -sf $d/$h %s/%s/; done; done && ln -sf /usr/lib/$(gcc -print-multiarch)/lib%s.* %s/%s/]],
      root, layout.include, root, layout.lib, headers, root, layout.include, library, root, layout.lib)
    return root
  end

  for name, layout in pairs(LAYOUTS) do
    it(name, function()
      local root = folder .. "/" .. layout.lib:gsub("%W", "")
      local curl = link(layout.apart and root .. "/opt/curl" or root, layout, "curl", "curl")
      -- The compiler says by -H which headers it read.
      local text = succeed("make -j2 rock BUILD=%s/build LUA_INCDIR=/usr/include/lua5.4 CURL_DIR=%s CFLAGS='-O1 -H'",
        root, curl)
      local triplet = succeed("gcc -print-multiarch"):match("%S+")
      local where, library = layout.include:gsub("%$%b()", triplet), layout.lib:gsub("%$%b()", triplet)
      assert.matches(("%s/%s/curl/curl.h\n"):format(curl, where), text, 1, true)
      -- Loaded by the first call, it is looked for where this says.
      assert.matches(("[%s/%s]"):format(curl, library), succeed("readelf -dW %s/build/rock/core.so | grep -E 'R(UN)?PATH'", root), 1, true)
      -- The tests in C and the bench look there too.
      local tests = succeed("make -n %s/build/tests/core_alloc_test BUILD=%s/build CURL_DIR=%s", root, root, curl)
      local bench = succeed("make -n -B -C bench ../build/bench/http_curl CURL_DIR=%s", curl)
      assert.matches(("-L%s/%s [^\n]*core_alloc_test.c"):format(curl:gsub("%p", "%%%0"), library:gsub("%p", "%%%0")), tests)
      assert.matches(("-L%s/%s"):format(curl, library), bench, 1, true)
    end)
  end
end)
