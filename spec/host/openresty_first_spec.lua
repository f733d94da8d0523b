-- SPDX-License-Identifier: MIT

-- What the README shows for nginx, as it is written there: nothing of ours was loaded before the first request.
local Nginx = require "spec.support.nginx"
local pages = require "spec.support.pages"
local support = require "spec.support.sandbox"

local NAMES = { FOGCLOUD_BASE_URL = "base_url", FOGCLOUD_CLIENT_ID = "client_id", FOGCLOUD_CLIENT_SECRET = "client_secret" }

describe("in nginx,", function()
  local sandbox, nginx
  setup(function() sandbox = support.start() end)
  teardown(function() sandbox:stop() end)

  local function environment()
    local lines, options = {}, sandbox:options()
    for variable, name in pairs(NAMES) do lines[#lines + 1] = ("env %s=%s;"):format(variable, options[name]) end
    return table.concat(lines, "\n")
  end

  it("the README's configuration works as it stands", function()
    local block
    for _, page in ipairs { "README.md", "docs/zh/README.md" } do
      block = pages.read(page):match "\n```nginx\n(.-)\n```\n"
      local inside, location = block:match "\nhttp {\n(.-)(  server {.*)}%s*$"
      for variable in pairs(NAMES) do assert.truthy(block:find("env " .. variable .. ";", 1, true), variable) end
      nginx = Nginx.start { env = environment(), http = inside, server = location:match "{\n(.*)}%s*$":gsub("listen %d+;", "") }
      local text = nginx:get "/products"
      local complaints = nginx:complaints()
      nginx:stop()
      assert.same({}, complaints)
      assert.equal("2\n", text)
    end
  end)

  for _, phase in ipairs { "rewrite", "access", "content" } do
    it("the library is loaded by the first request's " .. phase, function()
      nginx = Nginx.start { env = environment(), http = "lua_shared_dict fogcloud 1m;", server = ([[
        location /products { %s_by_lua_block {
          local products, err = require("fogcloud").new({ store = "shdict:fogcloud" }):products()
          ngx.say(products and #products or tostring(err))
          ngx.exit(200)
        } }]]):format(phase) }
      local text = nginx:get "/products"
      local complaints = nginx:complaints()
      nginx:stop()
      assert.same({}, complaints)
      assert.equal("2\n", text)
    end)
  end
end)
