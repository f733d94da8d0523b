-- SPDX-License-Identifier: MIT

--- The truth of the sandbox: one SQLite file that the API writes and the broker's plugin reads.
local core = require "fogcloud.sandbox.core"
local json = require "fogcloud.sandbox.json"

local State = {}
State.__index = State

local SCHEMA = {
  "CREATE TABLE IF NOT EXISTS accounts (client_id TEXT PRIMARY KEY, secret TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS apps (app_id TEXT PRIMARY KEY, account TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS products (productid TEXT PRIMARY KEY, pname TEXT NOT NULL, account TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS devices (id TEXT PRIMARY KEY, password TEXT NOT NULL, productid TEXT,"
    .. " account TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS clients (clientid TEXT PRIMARY KEY, loginname TEXT NOT NULL UNIQUE,"
    .. " password TEXT NOT NULL, app_id TEXT NOT NULL, account TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS grants (clientid TEXT NOT NULL, device_id TEXT NOT NULL,"
    .. " PRIMARY KEY (clientid, device_id)) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, account TEXT NOT NULL, expires REAL NOT NULL)",
}

local TABLES = { "accounts", "apps", "products", "devices", "clients", "grants", "tokens" }

local BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local ALPHANUMERIC = BASE64:sub(1, 62)

--- Opens the file and makes what is missing. `rng_seed` makes ids and secrets repeatable, for tests.
function State.open(path, rng_seed)
  local db, why = core.db(path)
  if db == nil then return nil, why end
  local self = setmetatable({ db = db, rng = rng_seed }, State)
  self:query("PRAGMA journal_mode = WAL")
  self:query("PRAGMA synchronous = NORMAL")
  for _, sql in ipairs(SCHEMA) do self:query(sql) end
  return self
end

--- Rows of one statement. A failing store is the daemon's end: raises.
function State:query(sql, params)
  local rows, why = self.db:query(sql, params)
  if rows == nil then error("store: " .. why .. " in " .. sql, 2) end
  return rows
end

function State:first(sql, params) return self:query(sql, params)[1] end

-- A number below n: from the seed when there is one (Park and Miller's generator), else from the system.
local function random_below(self, n)
  if self.rng then
    self.rng = (self.rng * 48271) % 2147483647
    return self.rng % n
  end
  local a, b = core.random(2):byte(1, 2)
  return (a * 256 + b) % n
end

local function random_text(self, length, alphabet)
  local out = {}
  for i = 1, length do
    local at = random_below(self, #alphabet) + 1
    out[i] = alphabet:sub(at, at)
  end
  return table.concat(out)
end

--- True when the store holds no account yet.
function State:is_empty() return self:first("SELECT 1 AS one FROM accounts") == nil end

--- Fills in a seed, in one transaction.
function State:apply(seed)
  self:query("BEGIN IMMEDIATE")
  for _, account in ipairs(seed.accounts) do
    local id = account.client_id
    self:query("INSERT OR REPLACE INTO accounts VALUES (?, ?)", { id, core.hash(account.client_secret) })
    for _, app in ipairs(account.apps or {}) do self:query("INSERT OR REPLACE INTO apps VALUES (?, ?)", { app, id }) end
    for _, p in ipairs(account.products or {}) do
      self:query("INSERT OR REPLACE INTO products VALUES (?, ?, ?)", { p.productid, p.pname, id })
    end
    for _, d in ipairs(account.devices or {}) do
      local row = { d.id, core.hash(d.password), d.productid, id }
      self:query("INSERT OR REPLACE INTO devices VALUES (?, ?, ?, ?)", row)
    end
  end
  self:query("COMMIT")
end

--- Forgets everything and fills in the seed again.
function State:reset(seed)
  for _, name in ipairs(TABLES) do self:query("DELETE FROM " .. name) end
  self:apply(seed)
end

--- Everything, secrets as hashes.
function State:dump()
  local all = {}
  for _, name in ipairs(TABLES) do all[name] = json.list(self:query("SELECT * FROM " .. name)) end
  return all
end

function State:check_account(client_id, secret)
  local row = self:first("SELECT secret FROM accounts WHERE client_id = ?", { client_id })
  return row ~= nil and core.matches(secret, row.secret)
end

function State:issue_token(account, expires)
  local token = random_text(self, 30, ALPHANUMERIC)
  self:query("INSERT INTO tokens VALUES (?, ?, ?)", { token, account, expires })
  return token
end

--- The token's row; nil for an unknown one.
function State:token(token) return self:first("SELECT account, expires FROM tokens WHERE token = ?", { token }) end

--- Forgets a token, or all of them.
function State:revoke_token(token)
  if token then
    self:query("DELETE FROM tokens WHERE token = ?", { token })
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
    clientid = "v1-app-" .. random_text(self, 12, ALPHANUMERIC),
    loginname = random_text(self, 16, ALPHANUMERIC),
    password = random_text(self, 20, BASE64) .. "+/" .. random_text(self, 22, BASE64),
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
