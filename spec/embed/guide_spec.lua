-- SPDX-License-Identifier: MIT

-- The plain C of docs/guide-embedding.md, compiled, linked and run as the page says.
local embed = require "spec.support.embed"
local fogcloud = require "fogcloud"
local pages = require "spec.support.pages"
local support = require "spec.support.sandbox"

local PAGE = "docs/guide-embedding.md"

local function block(language)
  for _, one in ipairs(pages.blocks(PAGE)) do
    if one.language == language then return one.text end
  end
  error("no block of " .. language)
end

describe(PAGE, function()
  local folder

  setup(function() folder = embed.succeed("mktemp -d"):match "%S+" end)
  teardown(function() support.shell("rm -rf " .. folder) end)

  it("has a program in C that is linked as it says", function()
    embed.write(folder .. "/game.c", block "c")
    local script = block("sh"):gsub("E=%S+", "E=" .. folder .. "/made"):gsub("make embed", "%0 EMBED=" .. folder .. "/made")
      :gsub("game%.c", folder .. "/%0"):gsub("%-o game", "-o " .. folder .. "/game"):gsub("cc %-I", "cc -Wall -Wextra -Werror -I")
    embed.write(folder .. "/build.sh", script)
    embed.succeed("SANITIZE= CJSON_DIR=%s sh -eu %s/build.sh", embed.cjson(), folder)
    assert.same({ fogcloud._VERSION .. "\n", 0 }, { support.shell(("cd / && env -i %s/game"):format(folder)) })
  end)

  it("names each variable that make embed knows, and no other", function()
    local known, text = {}, pages.read "Makefile"
    for name in text:match("\n# make embed.-\n\n"):gmatch "\n#   (%u[%u_]+)=" do known[name] = true end
    local named = {}
    for name in pages.read(PAGE):gmatch "\n| `(%u[%u_]+)=" do named[name] = true end
    assert.same(known, named)
    assert.is_true(known.WITH and known.CODE)
  end)
end)
