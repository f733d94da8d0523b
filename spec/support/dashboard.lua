-- SPDX-License-Identifier: MIT

--- Runs examples/love in a real LÖVE, under Xvfb with software rendering, and its devices beside it.
local support = require "spec.support.sandbox"

local dashboard = {}

local SCRIPT = [[
  mkdir %s && make -s build LUA=luajit && export FOGCLOUD_BASE_URL=%s FOGCLOUD_CLIENT_ID=%s FOGCLOUD_CLIENT_SECRET=%s
  export FOGCLOUD_CA_FILE=%s FOGCLOUD_APP_ID=%s FOG_LOVE_OUT=%s FOG_LOVE_FRAMES=%d HOME=%s
  export SDL_AUDIODRIVER=dummy LIBGL_ALWAYS_SOFTWARE=1
  lua=lua5.4; . scripts/env.sh; lua5.4 examples/love/devices.lua & devices=$!
  lua=luajit; . scripts/env.sh; timeout 120 xvfb-run -a -s '-screen 0 1024x768x24' love spec/support/love; status=$?
  kill $devices; wait $devices; exit $status]]

--- Plays spec/support/love; each of its two rounds is at least so many frames long.
---@return string folder  what it wrote; the caller's to remove
---@return integer status
---@return string said
function dashboard.play(sandbox, frames)
  local folder = os.tmpname()
  os.remove(folder)
  local account = sandbox.account
  local said, status = support.shell(SCRIPT:format(folder, sandbox.url, account.client_id, account.client_secret,
    sandbox.ca_file, sandbox.app_id, folder, frames or 0, folder))
  return folder, status, said
end

return dashboard
