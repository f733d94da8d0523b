-- SPDX-License-Identifier: MIT

--- What `redis://user:password@host:6379/0?timeout=3` says. Pure. Errors name the part that is wrong, and quote
--- nothing: there is a password in it.
local url = {}

---@class fogcloud.RedisPlace
---@field host string?
---@field port string?
---@field path string?       of a unix-domain socket
---@field user string?
---@field password string?
---@field database string?   its number, as text
---@field tls boolean
---@field timeout number?    seconds for a connection, and for a command on it; default 3
---@field ca_file string?    the authorities to trust instead of the system's
---@field cert_file string?  a client certificate, and
---@field key_file string?   its key

local PARAMETERS = { timeout = true, ca_file = true, cert_file = true, key_file = true }
local OF_TLS = { "ca_file", "cert_file", "key_file" }

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function wrong(what) return nil, ("option 'store': %s"):format(what) end

-- user:password, user, or :password, where a user alone is nobody's.
local function add_login(place, login)
  if login == nil then return true end
  local user, password = login:match("^([^:]*):(.*)$")
  if password == nil or password == "" then return wrong "a password expected: redis://user:password@host" end
  place.user = user ~= "" and unescape(user) or nil
  place.password = unescape(password)
  return true
end

local function add_query(place, query)
  for name, value in (query or ""):gmatch("([^=&]*)=?([^&]*)") do
    if name ~= "" then
      if not PARAMETERS[name] then return wrong "a parameter after the ? that Redis' URL does not know" end
      place[name] = unescape(value)
    end
  end
  if place.timeout then
    local seconds = tonumber(place.timeout)
    if not (seconds and seconds > 0 and seconds <= 60) then return wrong "timeout: seconds, 60 at most, expected" end
    place.timeout = seconds
  end
  return true
end

local function add_authority(place, authority)
  local host, port = authority:match("^%[([%x:.]+)%]:?(%d*)$")
  if host == nil then host, port = authority:match("^([^:%[%]]+):?(%d*)$") end
  if host == nil then return wrong "a host expected: redis://host:6379/0" end
  if port == "" then port = place.tls and "6380" or "6379" end
  if tonumber(port) < 1 or tonumber(port) > 65535 then return wrong "a port from 1 to 65535 expected" end
  place.host, place.port = unescape(host), port
  return true
end

local function add_database(place, path)
  if path == nil or path == "" or path == "/" then return true end
  place.database = path:match("^/(%d+)$")
  if place.database == nil then return wrong "the number of a database expected: redis://host:6379/0" end
  return true
end

local function check(place)
  for _, name in ipairs(OF_TLS) do
    if place[name] and not place.tls then return wrong(name .. " is for rediss://") end
  end
  if (place.cert_file == nil) ~= (place.key_file == nil) then
    return wrong "cert_file and key_file: both or none expected"
  end
  for _, value in pairs(place) do
    if type(value) == "string" and value:find("%z") then return wrong "holds a NUL byte" end
  end
  return place
end

local function parse_socket(rest)
  local before, query = rest:match("^([^?]*)%??(.*)$")
  local login, path = before:match("^([^@]*)@(/.+)$")
  local place = { tls = false, path = path or before:match("^/.+$") }
  if place.path == nil then return wrong "a path expected: redis+unix:///run/redis.sock" end
  place.path = unescape(place.path)
  local ok, why = add_login(place, login)
  if ok then ok, why = add_query(place, query) end
  if not ok then return nil, why end
  return check(place)
end

local function parse_network(rest, tls)
  local before, query = rest:match("^([^?]*)%??(.*)$")
  local whole, path = before:match("^([^/]*)(/?.*)$")
  local login, authority = whole:match("^(.*)@([^@]*)$")
  local place = { tls = tls }
  local ok, why = add_login(place, login)
  if ok then ok, why = add_authority(place, authority or whole) end
  if ok then ok, why = add_database(place, path) end
  if ok then ok, why = add_query(place, query) end
  if not ok then return nil, why end
  return check(place)
end

--- The place, or nil when the text is no URL of Redis'; nil and what is wrong when it is a wrong one. In user, password
--- and paths `%40` stands for `@`, and so on.
---@param text string
---@return fogcloud.RedisPlace? place
---@return string? why
function url.parse(text)
  local scheme, rest = text:match("^(redis[%w+]*)://(.*)$")
  if scheme == "redis+unix" then return parse_socket(rest) end
  if scheme == "redis" or scheme == "rediss" then return parse_network(rest, scheme == "rediss") end
  return nil
end

--- How the place is named where people can see it: without user, password and parameters.
---@param place fogcloud.RedisPlace
---@return string
function url.name(place)
  if place.path then return place.path end
  local host = place.host:find(":", 1, true) and "[" .. place.host .. "]" or place.host
  return ("%s:%s"):format(host, place.port) .. (place.database and "/" .. place.database or "")
end

return url
