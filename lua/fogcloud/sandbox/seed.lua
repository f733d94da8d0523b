-- SPDX-License-Identifier: MIT

--- What a sandbox starts with: accounts with their apps, products and devices. A seed is a table of this shape, from
--- Lua or JSON.
local cjson = require("cjson").new() -- what a program sets in its own changes nothing here
local errors = require "fogcloud.errors"

local seed = {}

--- One account, one app, two products, two devices.
function seed.default()
  return {
    accounts = {
      {
        client_id = "sandbox-key-id",
        client_secret = "sandbox-key-secret",
        apps = { "sandbox-app" },
        products = {
          { productid = "prod-lamp", pname = "Lamp" },
          { productid = "prod-meter", pname = "\231\148\181\232\161\168" }, -- 电表: a meter
        },
        devices = {
          { id = "dev1", password = "dev1-secret", productid = "prod-lamp" },
          { id = "dev2", password = "dev2-secret", productid = "prod-meter" },
        },
      },
    },
  }
end

local ACCOUNT = {
  client_id = "string", client_secret = "string", apps = "table", products = "table", devices = "table",
}

local function is_id(value) return type(value) == "string" and value ~= "" end

-- A device's id is a part of topics.
local function is_device_id(value) return is_id(value) and #value <= 128 and not value:find("[/+#%z]") end

local function check_account(account, n)
  if type(account) ~= "table" then return nil, ("account %d: a table expected"):format(n) end
  for name in pairs(account) do
    if not ACCOUNT[name] then return nil, ("account %d: unknown field '%s'"):format(n, errors.text(name)) end
  end
  for name, expected in pairs(ACCOUNT) do
    if type(account[name] or (expected == "table" and {} or nil)) ~= expected then
      return nil, ("account %d: '%s' must be a %s"):format(n, name, expected)
    end
  end
  for _, app in ipairs(account.apps or {}) do
    if not is_id(app) then return nil, ("account %d: an app is a string"):format(n) end
  end
  for _, device in ipairs(account.devices or {}) do
    if type(device) ~= "table" or not is_device_id(device.id) or type(device.password) ~= "string" then
      return nil, ("account %d: a device needs 'id', 1 to 128 bytes without /, + and #, and 'password'"):format(n)
    end
  end
  for _, product in ipairs(account.products or {}) do
    if type(product) ~= "table" or not is_id(product.productid) or type(product.pname) ~= "string" then
      return nil, ("account %d: a product needs 'productid' and 'pname'"):format(n)
    end
  end
  return true
end

--- Whether a table is a seed.
---@return boolean? ok
---@return string? why
function seed.check(value)
  if type(value) ~= "table" or type(value.accounts) ~= "table" or #value.accounts == 0 then
    return nil, "a seed needs a list 'accounts' with at least one"
  end
  for n, account in ipairs(value.accounts) do
    local ok, why = check_account(account, n)
    if not ok then return nil, why end
  end
  return true
end

--- Reads a seed file: JSON, or Lua that returns the table when its name ends in `.lua`.
---@return table? seed
---@return string? why
function seed.read(path)
  local ok, value
  if path:find("%.lua$") then
    local chunk, why = loadfile(path)
    if chunk == nil then return nil, why end
    ok, value = pcall(chunk)
  else
    local file, why = io.open(path, "r")
    if file == nil then return nil, why end
    ok, value = pcall(cjson.decode, file:read("*a") or "")
    file:close()
  end
  if not ok then return nil, path .. ": " .. errors.text(value) end
  local fine, why = seed.check(value)
  if not fine then return nil, path .. ": " .. why end
  return value
end

-- "ID=REST", or "ID" where the rest may be made from it.
local function split(text, rest_of)
  local id, rest = text:match("^([^=]+)=(.*)$")
  if id then return id, rest end
  return text, rest_of and rest_of(text)
end

--- Adds to the first account what a command line says.
---@param value table         a seed
---@param apps string[]       "ID"
---@param products string[]   "ID=NAME"
---@param devices string[]    "ID=PASSWORD", or "ID", whose password is then "ID-secret"
---@param count integer?       so many more: device1, device2, ...
---@return table? seed
---@return string? why
function seed.extend(value, apps, products, devices, count)
  local account = value.accounts[1]
  for _, kind in ipairs { "apps", "products", "devices" } do account[kind] = account[kind] or {} end
  for _, id in ipairs(apps) do table.insert(account.apps, id) end
  for _, text in ipairs(products) do
    local id, name = split(text)
    table.insert(account.products, { productid = id, pname = name })
  end
  for _, text in ipairs(devices) do
    local id, password = split(text, function(name) return name .. "-secret" end)
    table.insert(account.devices, { id = id, password = password })
  end
  for i = 1, count or 0 do
    local id = ("device%d"):format(i)
    table.insert(account.devices, { id = id, password = id .. "-secret" })
  end
  local ok, why = seed.check(value)
  if not ok then return nil, why end
  return value
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for name, value in pairs(a) do
    if not same(value, b[name]) then return false end
  end
  for name in pairs(b) do
    if a[name] == nil then return false end
  end
  return true
end

--- Whether two seeds say the same.
seed.same = same

local function write(path, text)
  local file, why = io.open(path .. ".new", "w")
  if file == nil then return nil, why end
  local ok
  ok, why = file:write(text)
  file:close()
  if ok then ok, why = os.rename(path .. ".new", path) end
  return ok, why
end

--- The seed of a folder that outlives its sandbox, kept in this file: the one that its store was filled with. Another
--- one is refused. A fresh store is yet to be filled, with the given one or the default.
---@param path string
---@param given table?
---@param fresh boolean
---@return table? seed
---@return string? why
function seed.keep(path, given, fresh)
  if fresh then
    local value = given or seed.default()
    local ok, why = write(path, cjson.encode(value))
    if not ok then return nil, why end
    return value
  end
  local kept, why = seed.read(path)
  if kept == nil then return nil, why end
  if given == nil or same(kept, given) then return kept end
  return nil, path .. ": this folder was made with another seed; start without one, or with another folder"
end

return seed
