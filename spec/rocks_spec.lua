-- SPDX-License-Identifier: MIT

-- Both rocks: linted, built by LuaRocks into an empty tree for each Lua, and required from there.

local function run(command)
  local pipe = assert(io.popen(("(%s\n) 2>&1; s=$?; echo; echo $s"):format(command), "r"))
  local text, status = pipe:read("*a"):match("^(.*)\n(%d+)\n$")
  pipe:close()
  return tonumber(status), text
end

local LUAS = {
  { name = "lua5.4", version = "5.4", include = "/usr/include/lua5.4" },
  { name = "lua5.3", version = "5.3", include = "/usr/include/lua5.3" },
  { name = "lua5.1", version = "5.1", include = "/usr/include/lua5.1" },
  { name = "luajit", version = "5.1", include = "/usr/include/luajit-2.1" },
}

describe("the rocks", function()
  local folder

  setup(function()
    local _, text = run("mktemp -d")
    folder = text:match("%S+")
    -- A copy, so that two builds of one tree do not meet.
    assert.equal(0, (run(("git ls-files -co --exclude-standard | tar -cf - -T - 2>/dev/null | tar -xf - -C %s"):format(folder))))
  end)
  teardown(function() run("rm -rf " .. folder) end)

  it("pass luarocks lint", function()
    for _, rock in ipairs { "fogcloud", "fogcloud-sandbox" } do
      local status, text = run(("luarocks lint %s-dev-1.rockspec"):format(rock))
      assert.equal(0, status, text)
    end
  end)

  for _, lua in ipairs(LUAS) do
    it("are made and required with " .. lua.name, function()
      local tree = folder .. "/tree-" .. lua.name
      for _, rock in ipairs { "fogcloud", "fogcloud-sandbox" } do
        local status, text = run(("cd %s && luarocks --lua-version %s --tree %s make --deps-mode=none %s-dev-1.rockspec LUA_INCDIR=%s")
          :format(folder, lua.version, tree, rock, lua.include))
        assert.equal(0, status, text)
      end
      local status, text = run(("cd / && LUA_PATH='%s/share/lua/%s/?.lua;%s/share/lua/%s/?/init.lua;;' LUA_CPATH='%s/lib/lua/%s/?.so;;' "
        .. [[%s -e 'print(require("fogcloud").info().paho, require("fogcloud.sandbox").start ~= nil)']])
        :format(tree, lua.version, tree, lua.version, tree, lua.version, lua.name))
      assert.equal(0, status, text)
      assert.matches("^%d+%.%d+%.%d+%s+true", text)
    end)
  end
end)
