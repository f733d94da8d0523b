-- SPDX-License-Identifier: MIT

--- Clients that are kept in a cloud's store: made once among all that share it, for a second call of create_client
--- makes a second client, and the first one's password can be had nowhere else.
local call = require "fogcloud.api.call"
local errors = require "fogcloud.errors"
local protect = require "fogcloud.task.protect"

local kept = {}

local VERSION = 1 -- of the records
local ROOM = 2048 -- bytes, more than credentials take

--- The key of an application's client.
---@param self fogcloud.Cloud
---@param app_id string
---@param name string?
---@return string
function kept.key(self, app_id, name)
  local key = ("client %s %s %s"):format(self.options.base_url, self.options.client_id, app_id)
  return name and key .. " " .. name or key
end

-- What a store takes: the flat fields. `value` is what delete compares.
local function client_record(credentials)
  local record = { value = credentials.clientid, version = VERSION }
  for name, field in pairs(credentials) do
    local kind = type(field)
    if kind == "string" or kind == "number" or kind == "boolean" then record[name] = field end
  end
  return record
end

local NEEDED = { "clientid", "loginname", "password", "mqtthost" }

-- Why a kept client is of no use; nil when it is.
local function wrong_client(self, key, record)
  for _, name in ipairs(NEEDED) do
    if type(record[name]) ~= "string" or record[name] == "" then
      local where = self.store.where and self.store:where(key) or ("what is kept as '%s'"):format(key)
      local text = "%s cannot be used: it has no '%s'; restore it from a copy, for the client cannot be had again"
      return errors.new("protocol", text:format(where, name))
    end
  end
  return nil
end

local function kept_client(self, key)
  local record, err = self.store:get(key)
  if record == nil then return nil, err end
  err = wrong_client(self, key, record)
  if err then return nil, err end
  record.value, record.version = nil, nil
  self.redactor:hide(record.password, "password")
  self.kept[record] = key
  return record
end

-- Whether a client could be kept: the cloud gives no list of those that it has made, so that one is not asked for whose
-- only copy would be lost, again at every call. In the place of a record as long as any.
local function has_room(self, key)
  local ok, err = self.store:set(key .. " room", { value = ("x"):rep(ROOM) })
  if not ok then return nil, err end
  return self.store:delete(key .. " room")
end

-- The holder of the lock looks again; a client that was created is given out even if it cannot be kept after all.
local function create_and_keep(self, key, app_id, how)
  local credentials, err = kept_client(self, key)
  if credentials or err then return credentials, err end
  local room
  room, err = has_room(self, key)
  if not room then return nil, err end
  credentials, err = call.run(self, "create_client", { app_id = app_id }, how)
  if credentials == nil then return nil, err end
  self.redactor:hide(credentials.password, "password")
  local done, why = self.store:set(key, client_record(credentials))
  if not done then self.logger:write("error", "the created client could not be kept", { err = why }) end
  self.kept[credentials] = key
  return credentials
end

--- The client that is kept; made and kept where there is none.
---@param self fogcloud.Cloud
---@param app_id string
---@param name string?
---@param how fogcloud.CallSettings
---@return fogcloud.Credentials? credentials
---@return fogcloud.Error? err
function kept.obtain(self, app_id, name, how)
  local key = kept.key(self, app_id, name)
  local credentials, err = kept_client(self, key)
  if credentials or err then return credentials, err end
  local unlock, why = self.store:lock(key, how.deadline)
  if unlock == nil then return nil, why end
  how.started = self.host.now() -- which the lock may have waited for
  credentials, err = protect.guard(unlock, create_and_keep, self, key, app_id, how)
  unlock()
  return credentials, err
end

return kept
