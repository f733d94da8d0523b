-- SPDX-License-Identifier: MIT

--- A device that numbers its messages, for specs that lose none: in a process of the spec's, or in an nginx whose workers
--- note in the shared dictionary `seen` which came.
local Numbered = {}
Numbered.__index = Numbered

--- What nginx needs for it: a shared dictionary, and locations that tell what is in it.
Numbered.HTTP = "lua_shared_dict fogcloud 1m; lua_shared_dict seen 10m;"
Numbered.SERVER = [[
  location /get { content_by_lua_block { ngx.print(tostring(ngx.shared.seen:get(ngx.unescape_uri(ngx.var.arg_key)))) } }
  location /missing { content_by_lua_block {
    local n = 0
    for i = 1, tonumber(ngx.var.arg_count) do
      if not ngx.shared.seen:get("seen " .. i) then n = n + 1 end
    end
    ngx.print(n)
  } }
]]

--- `env` lines for nginx with the sandbox's account in them: BASE_URL, CA_FILE, ID, SECRET, APP_ID.
function Numbered.env(sandbox, more)
  local account, lines = sandbox:options(), { more }
  for name, value in pairs { BASE_URL = account.base_url, CA_FILE = sandbox.ca_file, ID = account.client_id,
    SECRET = account.client_secret, APP_ID = sandbox.app_id } do
    lines[#lines + 1] = ("env %s=%s;"):format(name, value)
  end
  return table.concat(lines, "\n")
end

--- A device of the sandbox that is connected, and has sent nothing.
function Numbered.device(sandbox, id) return setmetatable({ device = sandbox:device(id), id = id, sent = 0 }, Numbered) end

--- Publishes one more.
function Numbered:publish(options)
  self.sent = self.sent + 1
  assert(self.device.session:publish(("d2c/%s/n"):format(self.id), tostring(self.sent), options or { qos = 1 }))
end

function Numbered:flush() assert(self.device.session:flush(20)) end

--- Sends `count` more; they have reached the broker.
function Numbered:send(count)
  for _ = 1, count do self:publish() end
  self:flush()
end

--- Waits until the workers of an nginx have noted all that were sent.
function Numbered:wait_complete(nginx)
  nginx:wait_for("all messages", function() return nginx:get("/missing?count=" .. self.sent) == "0" end)
end

--- Connects anew, where the broker has forgotten it.
function Numbered:connect_again(sandbox)
  self.device:close()
  self.device = sandbox:device(self.id)
end

function Numbered:close() self.device:close() end

return Numbered
