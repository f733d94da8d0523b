-- SPDX-License-Identifier: MIT

--- What a base URL may be: the secret and every token go there. Pure.
local base_url = {}

local function is_loopback(host)
  host = host:lower()
  return host == "localhost" or host == "[::1]" or host:find("^127%.%d+%.%d+%.%d+$") ~= nil
end

-- What is wrong with `host:port`, nil when nothing is, and the host.
local function authority_complaint(authority)
  local host, port = authority:match("^(%[[%x:.]+%])(.*)$")
  if host == nil then host, port = authority:match("^([^:%[%]]*)(.*)$") end
  if host:find("[\128-\255]") then
    return "a host name in ASCII expected: write its international form (xn--…)"
  end
  if host == "" or host:find("[^%w._~%[%]:-]") then return "holds no host name" end
  if port == "" then return nil, host end
  local number = tonumber(port:match("^:(%d+)$"))
  if number == nil or number < 1 or number > 65535 then return "a port from 1 to 65535 expected after the host" end
  return nil, host
end

--- Why the token may not be sent to this URL, nil when it may.
---@param url string
---@param allow_insecure boolean?  http:// to other machines too
---@return string?
function base_url.complaint(url, allow_insecure)
  local scheme, authority, rest = url:match("^(%a+)://([^/?#\\]+)([^\\]*)$")
  scheme = scheme and scheme:lower()
  if scheme ~= "https" and scheme ~= "http" then return "a URL that begins with https:// expected" end
  if url:find("%s") then return "holds a blank" end
  if authority:find("@", 1, true) then return "may hold no user name or password" end
  if rest:find("[?#]") then return "may hold no query or fragment" end
  local why, host = authority_complaint(authority)
  if why then return why end
  if scheme == "http" and not is_loopback(host) and not allow_insecure then
    return ("http:// to '%s' shows the secret to the network; use https://, or say allow_insecure_http = true"):format(
      host)
  end
  return nil
end

return base_url
