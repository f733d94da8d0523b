-- SPDX-License-Identifier: MIT

--- A real redis-server on a free port, for a spec; and one that only looks like it. Both end with the spec at the latest.
local core = require "fogcloud.core"
local process = require "fogcloud.sandbox.core"
local socket = require "socket"

local Redis = {}
Redis.__index = Redis

local TERM, KILL, STOP, CONT = 15, 9, 19, 18

local function run(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

local function spawn(self, command)
  local full = { "/usr/bin/setpriv", "--pdeathsig", "KILL" }
  for _, word in ipairs(command) do full[#full + 1] = word end
  self.pid, self.fds = nil, {}
  local pid, input, output = process.spawn(full)
  self.pid, self.fds = assert(pid, input), { input, output }
end

local function wait_for(self, done)
  local deadline = core.now() + 20
  while not done() do
    if core.now() > deadline then error("it does not start: " .. (self.folder and run("cat " .. self.folder .. "/log") or "")) end
    socket.sleep(0.01)
  end
end

--- Starts it. options: password, port, tls (fogcloud.sandbox certs: TLS only, client certificates asked for), maxmemory,
--- and words for its command line in `more`.
function Redis.start(options)
  local self = setmetatable({ options = options or {} }, Redis)
  self.folder = run("mktemp -d /tmp/fogcloud-redis.XXXXXX"):gsub("%s+$", "")
  self.port = self.options.port or process.free_port()
  self:start_again()
  return self
end

--- Starts it again, empty, in the same place.
function Redis:start_again()
  local options, tls = self.options, self.options.tls
  local command = {
    "/usr/bin/redis-server", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", self.folder,
    "--logfile", self.folder .. "/log", "--unixsocket", self.folder .. "/socket", "--port", tls and "0" or tostring(self.port),
  }
  local function add(...)
    for _, word in ipairs { ... } do command[#command + 1] = word end
  end
  if options.password then add("--requirepass", options.password) end
  if tls then
    add("--tls-port", tostring(self.port), "--tls-cert-file", tls.cert, "--tls-key-file", tls.key, "--tls-ca-cert-file",
      tls.ca, "--tls-auth-clients", "yes")
  end
  add((table.unpack or unpack)(options.more or {})) -- luacheck: ignore 113
  spawn(self, command)
  wait_for(self, function() return self:answers() end)
end

--- What it answers to a command as redis-cli shows it.
function Redis:cli(words)
  local password = self.options.password and "-a '" .. self.options.password .. "'" or ""
  return (run(("redis-cli --no-auth-warning -s %s/socket %s %s 2>&1"):format(self.folder, password, words)):gsub("%s+$", ""))
end

function Redis:answers() return self:cli("ping") == "PONG" end

--- Its address, with login and parameters as given.
function Redis:url(login, rest)
  if login == nil then login = self.options.password and ":" .. self.options.password .. "@" or "" end
  return ("%s://%s127.0.0.1:%d%s"):format(self.options.tls and "rediss" or "redis", login, self.port, rest or "")
end

--- How often a command was called so far, by lower-case name.
function Redis:calls(name)
  return tonumber(self:cli("info commandstats"):match("cmdstat_" .. name .. ":calls=(%d+)") or 0)
end

function Redis:freeze() process.kill(self.pid, STOP) end

function Redis:thaw() process.kill(self.pid, CONT) end

local function reap(self)
  process.wait(self.pid, true)
  for _, fd in ipairs(self.fds) do process.close_fd(fd) end
  self.pid = nil
end

--- As kill -9: no goodbye to anybody.
function Redis:kill()
  process.kill(self.pid, KILL)
  reap(self)
end

--- Ends it and removes its folder. Harmless twice.
function Redis:stop()
  if self.pid then
    process.kill(self.pid, CONT)
    process.kill(self.pid, TERM)
    reap(self)
  end
  if self.folder then run("rm -rf " .. self.folder) end
  self.folder = nil
end

--- A server that answers each piece that comes with `text`, hangs up at once (text "hang up"), or says nothing ("").
function Redis.liar(text, port)
  local self = setmetatable({ options = {}, port = port or process.free_port() }, Redis)
  spawn(self, { "/usr/bin/env", "lua5.4", "spec/support/redis_liar.lua", tostring(self.port), text })
  wait_for(self, function()
    local client = socket.connect("127.0.0.1", self.port)
    if client then client:close() end
    return client
  end)
  return self
end

return Redis
