-- SPDX-License-Identifier: MIT

-- Runs one snippet of the documentation, a file of Lua, against the sandbox of the FOGCLOUD_* variables. What a page
-- takes for granted (`cloud`, `session`, ...) is made when the snippet names it; any other unknown name is an error.
local fogcloud = require "fogcloud"

local made = {}

local MAKERS = {
  fogcloud = function() return fogcloud end,
  cloud = function() return fogcloud.new {} end,
  app_id = function() return os.getenv "FOGCLOUD_APP_ID" end,
  credentials = function(env)
    local credentials = assert(env.cloud:create_client(env.app_id))
    assert(env.cloud:grant_all(credentials.clientid, { "dev1", "dev2" }))
    return credentials
  end,
  clientid = function(env) return env.credentials.clientid end,
  session = function(env) return assert(env.cloud:connect(env.credentials)) end,
  device = function(env) return env.session:device "dev1" end,
  ids = function() return { "dev1", "dev2" } end,
  sandbox = function() return require("fogcloud.sandbox").attach() end,
  love = function() return {} end,
}

local env = setmetatable({}, {
  __index = function(self, name)
    if _G[name] ~= nil then return _G[name] end
    local maker = MAKERS[name] or error(("the snippet uses '%s', which nobody made"):format(tostring(name)), 2)
    made[name] = true
    rawset(self, name, maker(self))
    return rawget(self, name)
  end,
})

local file = assert(io.open(arg[1]))
local text = file:read "*a"
file:close()
local chunk
if rawget(_G, "setfenv") then
  chunk = assert(loadstring(text, "@" .. arg[2])) -- luacheck: ignore 113
  setfenv(chunk, env) -- luacheck: ignore 113
else
  chunk = assert(load(text, "@" .. arg[2], "t", env))
end
chunk()
if made.love then
  for _ = 1, 3 do
    for _, name in ipairs { "load", "update", "draw" } do
      if env.love[name] then env.love[name](0.016) end
    end
  end
end
if made.session then env.session:close() end
