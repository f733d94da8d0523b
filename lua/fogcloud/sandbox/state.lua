-- SPDX-License-Identifier: MIT

--- The truth of the sandbox: one SQLite file that the API writes and the broker's plugin reads.
local core = require "fogcloud.sandbox.core"
local json = require "fogcloud.sandbox.json"
local random = require "fogcloud.sandbox.random"

local State = {}
State.__index = State

local SCHEMA = {
  "PRAGMA journal_mode = WAL",
  "PRAGMA synchronous = NORMAL",
  "CREATE TABLE IF NOT EXISTS accounts (client_id TEXT PRIMARY KEY, secret TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS apps (app_id TEXT PRIMARY KEY, account TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS products (productid TEXT PRIMARY KEY, pname TEXT NOT NULL, account TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS devices (id TEXT PRIMARY KEY, password TEXT NOT NULL, productid TEXT,"
    .. " account TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS clients (clientid TEXT PRIMARY KEY, loginname TEXT NOT NULL UNIQUE,"
    .. " password TEXT NOT NULL, app_id TEXT NOT NULL, account TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS grants (clientid TEXT NOT NULL, device_id TEXT NOT NULL,"
    .. " PRIMARY KEY (clientid, device_id)) WITHOUT ROWID",
  -- A token's SHA-256: a copy of the file lets nobody in, and looking one up tells nothing of those that are there.
  "CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, account TEXT NOT NULL, expires REAL NOT NULL)",
}

local TABLES = { "accounts", "apps", "products", "devices", "clients", "grants", "tokens" }

local BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local ALPHANUMERIC = BASE64:sub(1, 62)

--- Opens the file and makes what is missing. `rng_seed` makes ids and tokens repeatable, for tests.
function State.open(path, rng_seed)
  local db, why = core.db(path)
  if db == nil then return nil, why end
  -- Whoever asks for an unknown account waits as long as for a wrong secret: there is something to compare with.
  local self = setmetatable({ db = db, below = random.source(rng_seed), nobody = core.hash("") }, State)
  for _, sql in ipairs(SCHEMA) do
    local ok
    ok, why = db:query(sql)
    if ok == nil then
      db:close()
      return nil, why
    end
  end
  return self
end

--- Rows of one statement. Raises when the store fails, which the request then answers for.
function State:query(sql, params)
  local rows, why = self.db:query(sql, params)
  if rows == nil then error("store: " .. why .. " in " .. sql, 2) end
  return rows
end

function State:first(sql, params) return self:query(sql, params)[1] end

function State:random_text(length, alphabet)
  local out = {}
  for i = 1, length do
    local at = self.below(#alphabet) + 1
    out[i] = alphabet:sub(at, at)
  end
  return table.concat(out)
end

-- A text that no row of the table has in this column yet: a seeded run that goes on with an old store meets its ids.
local function fresh_text(self, name, column, prefix, length, alphabet, stored)
  local sql = ("SELECT 1 AS one FROM %s WHERE %s = ?"):format(name, column)
  local text
  repeat
    text = prefix .. self:random_text(length, alphabet)
  until self:first(sql, { stored and stored(text) or text }) == nil
  return text
end

--- True when the store holds no account yet.
function State:is_empty() return self:first("SELECT 1 AS one FROM accounts") == nil end

-- All that fn does, or nothing: when it raises, and when it gives nil, why.
local function transaction(self, fn)
  self:query("BEGIN IMMEDIATE")
  local ok, done, why = pcall(function()
    local done, why = fn()
    if done then self:query("COMMIT") end
    return done, why
  end)
  if not (ok and done) then self.db:query("ROLLBACK") end
  if not ok then error(done, 0) end
  return done, why
end

-- By table: its key, and how a row gets in.
local PUT = {
  apps = { "app_id", "INSERT OR REPLACE INTO apps VALUES (?, ?)" },
  products = { "productid", "INSERT OR REPLACE INTO products VALUES (?, ?, ?)" },
  devices = { "id", "INSERT OR REPLACE INTO devices VALUES (?, ?, ?, ?)" },
}

-- In the place of the row with the same key, unless that is another account's.
local function put(self, name, id, account, row)
  local owner = self:first(("SELECT account FROM %s WHERE %s = ?"):format(name, PUT[name][1]), { id })
  if owner and owner.account ~= account then
    return nil, ("%s: '%s' belongs to account %s"):format(name, id, owner.account)
  end
  self:query(PUT[name][2], row)
  return true
end

local function fill_account(self, account)
  local id = account.client_id
  self:query("INSERT OR REPLACE INTO accounts VALUES (?, ?)", { id, core.hash(account.client_secret) })
  local ok, why = true, nil
  for _, app in ipairs(account.apps or {}) do
    if ok then ok, why = put(self, "apps", app, id, { app, id }) end
  end
  for _, p in ipairs(account.products or {}) do
    if ok then ok, why = put(self, "products", p.productid, id, { p.productid, p.pname, id }) end
  end
  for _, d in ipairs(account.devices or {}) do
    if ok then ok, why = put(self, "devices", d.id, id, { d.id, core.hash(d.password), d.productid, id }) end
  end
  return ok, why
end

local function fill(self, seed)
  for _, account in ipairs(seed.accounts) do
    local ok, why = fill_account(self, account)
    if not ok then return nil, why end
  end
  return true
end

--- Fills in a seed, or nothing of it: an id that is in another account already is refused.
---@return boolean? ok
---@return string? why
function State:apply(seed) return transaction(self, function() return fill(self, seed) end) end

--- Forgets everything and fills in the seed again, which one that could be applied can.
function State:reset(seed)
  transaction(self, function()
    for _, name in ipairs(TABLES) do self:query("DELETE FROM " .. name) end
    return fill(self, seed)
  end)
end

--- Everything, secrets and tokens as hashes.
function State:dump()
  local all = {}
  for _, name in ipairs(TABLES) do all[name] = json.list(self:query("SELECT * FROM " .. name)) end
  return all
end

function State:check_account(client_id, secret)
  local row = self:first("SELECT secret FROM accounts WHERE client_id = ?", { client_id })
  return core.matches(secret, row and row.secret or self.nobody) and row ~= nil
end

function State:issue_token(account, expires)
  local token = fresh_text(self, "tokens", "token", "", 30, ALPHANUMERIC, core.digest)
  self:query("INSERT INTO tokens VALUES (?, ?, ?)", { core.digest(token), account, expires })
  return token
end

--- The token's row; nil for an unknown one.
function State:token(token)
  return self:first("SELECT account, expires FROM tokens WHERE token = ?", { core.digest(token) })
end

--- Forgets a token, or all of them.
function State:revoke_token(token)
  if token then
    self:query("DELETE FROM tokens WHERE token = ?", { core.digest(token) })
  else
    self:query("DELETE FROM tokens")
  end
end

function State:owns(what, column, id, account)
  local sql = ("SELECT 1 AS one FROM %s WHERE %s = ? AND account = ?"):format(what, column)
  return self:first(sql, { id, account }) ~= nil
end

--- A new MQTT client of an app: clientid, loginname and its password in clear, which is not kept.
function State:create_client(app_id, account)
  local client = {
    clientid = fresh_text(self, "clients", "clientid", "v1-app-", 12, ALPHANUMERIC),
    loginname = fresh_text(self, "clients", "loginname", "", 16, ALPHANUMERIC),
    password = self:random_text(20, BASE64) .. "+/" .. self:random_text(22, BASE64),
  }
  self:query("INSERT INTO clients VALUES (?, ?, ?, ?, ?)",
    { client.clientid, client.loginname, core.hash(client.password), app_id, account })
  return client
end

function State:grant(clientid, device_id)
  self:query("INSERT OR IGNORE INTO grants VALUES (?, ?)", { clientid, device_id })
end

function State:revoke(clientid, device_id)
  self:query("DELETE FROM grants WHERE clientid = ? AND device_id = ?", { clientid, device_id })
end

function State:products(account)
  return self:query("SELECT productid, pname FROM products WHERE account = ? ORDER BY productid", { account })
end

function State:close() self.db:close() end

return State
