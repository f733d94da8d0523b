-- SPDX-License-Identifier: MIT

--- Who may ask: programs that were told where the sandbox is, and its own console. A page of anybody else's, which the
--- developer's browser runs on the same machine, must not: neither as itself (its Origin, and Sec-Fetch-Site, say whose
--- it is) nor by a name of its own for our address (DNS rebinding: the Host says that). Pure.
---
--- Programs send no Origin, and a browser does with everything that can change something, so programs need no key. The
--- console does: it bears what stands in the address it was opened with, and a page that an earlier sandbox left open
--- on the same port knows another one.
local guard = {}

local LOOPBACK, EVERYWHERE = "^127%.%d+%.%d+%.%d+$", "0.0.0.0"
local SAFE = { GET = true, HEAD = true, OPTIONS = true }
local OURS = { ["same-origin"] = true, none = true } -- of Sec-Fetch-Site; none: typed, or a bookmark
local JSON, FORM = "application/json", "application/x-www-form-urlencoded"

--- The header that the console's key comes in.
guard.KEY = "x-fogcloud-sandbox-key"

-- A host without its port; nil for what is none.
local function name_of(host)
  local name, port = host:match("^(%[[%x:.]+%])(.*)$")
  if name == nil then name, port = host:match("^([%w._-]+)(.*)$") end
  if name == nil or not (port == "" or port:find("^:%d+$")) then return nil end
  return name:lower()
end

-- "*.example" of a certificate stands for one label.
local function is_named(name, pattern)
  if pattern == nil then return false end
  pattern = pattern:lower()
  if pattern:sub(1, 2) ~= "*." then return name == pattern end
  return name:match("^[^.]+(%..*)$") == pattern:sub(2)
end

-- Whether a sandbox that listens at `address` is called so. An address is never another's: a name may be.
local function is_ours(name, address, cert_host)
  if name == "localhost" or name == "[::1]" or name:find(LOOPBACK) or name == address then return true end
  if address == EVERYWHERE and name:find("^%d+%.%d+%.%d+%.%d+$") then return true end
  return is_named(name, cert_host)
end

-- Whether a browser sends this, which says so with everything that changes something.
local function is_page(headers) return headers.origin ~= nil or headers["sec-fetch-site"] ~= nil end

-- A person who follows a link to the console, or types its address, and sees it as a page of its own.
local function is_visit(request)
  local headers = request.headers
  return request.method == "GET" and request.path == "/" and headers.origin == nil
    and headers["sec-fetch-mode"] == "navigate" and headers["sec-fetch-dest"] == "document"
end

local function is_foreign(own, request)
  local headers = request.headers
  local site = headers["sec-fetch-site"]
  if headers.origin and headers.origin:lower() ~= own.scheme .. "://" .. headers.host:lower() then return true end
  return site ~= nil and not OURS[site] and not is_visit(request)
end

-- A form of a page can say neither of these of what is no form; curl -d says the second of everything.
local function is_json(headers)
  local media = (headers["content-type"] or ""):lower():match("^%s*([^;%s]*)")
  return media == JSON or (not is_page(headers) and (media == "" or media == FORM))
end

-- Two texts compared without telling, by the time it takes, where they differ.
local function same(a, b)
  if #a ~= #b then return false end
  local different = 0
  for i = 1, #a do different = different + (a:byte(i) == b:byte(i) and 0 or 1) end
  return different == 0
end

--- Why a request is not taken, if it is not.
---@param own table  of the sandbox: address, cert_host, scheme, key
---@param request table
---@return integer? status
---@return string? why
function guard.refusal(own, request)
  local headers = request.headers
  local name = name_of(headers.host or "")
  if name == nil or not is_ours(name, own.address, own.cert_host) then
    return 421, "the Host of the request is not this sandbox: use its address, or start it with --cert-host"
  end
  if is_foreign(own, request) then return 403, "a page of another origin may not ask a sandbox" end
  if SAFE[request.method] then return nil end
  if is_page(headers) and not same(headers[guard.KEY] or "", own.key) then
    return 403, "the console's key is missing or of another sandbox: open the address that was printed at its start"
  end
  if request.path:find("^/_sandbox/") and not is_json(headers) then
    return 415, "the control API takes application/json"
  end
  return nil
end

return guard
