-- SPDX-License-Identifier: MIT

--- The parameters of a request: a form, a JSON object, or the query. Pure.
local json = require "fogcloud.sandbox.json"

local params = {}

local function decode(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function from_form(body)
  local found = {}
  for name, value in body:gmatch("([^&=]+)=([^&]*)") do found[decode(name)] = decode(value) end
  return found
end

local function from_json(body)
  local ok, value = pcall(json.decode, body)
  if not ok then return nil, "the body is not a JSON object" end
  return value
end

--- What the request says; the body wins over the query, which a DELETE may use instead.
---@param json_only boolean?  the body is JSON whatever its content type says
---@return table? params
---@return string? why
function params.of(request, json_only)
  if request.too_large then return nil, "the body is too large" end
  local found, why = {}, nil
  if request.body ~= "" then
    local kind = (request.headers["content-type"] or ""):lower()
    if json_only or kind:find("application/json", 1, true) then
      found, why = from_json(request.body)
    else
      found = from_form(request.body)
    end
  end
  if found == nil then return nil, why end
  for name, value in pairs(request.query) do
    if found[name] == nil then found[name] = value end
  end
  return found
end

return params
