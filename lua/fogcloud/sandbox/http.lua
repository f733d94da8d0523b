-- SPDX-License-Identifier: MIT

--- One HTTP request to a sandbox.
local http = require "socket.http"

--- As of LuaSocket's `http.request`, or of LuaSec's where the API is served over TLS.
---@param request table
---@param ca_file string?
return function(request, ca_file)
  if not request.url:find("^https:") then return http.request(request) end
  request.verify, request.cafile = "peer", ca_file
  return require("ssl.https").request(request)
end
