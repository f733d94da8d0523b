-- SPDX-License-Identifier: MIT

--- A real nginx with its Lua module, on a free port, for a spec: its folder, its configuration, its end. The Lua inside
--- is LuaJIT with this checkout's build/luajit.
local core = require "fogcloud.core"
local process = require "fogcloud.sandbox.core"
local socket = require "socket"

local Nginx = {}
Nginx.__index = Nginx

local TERM, KILL, HUP = 15, 9, 1

local CONFIG = [[
$modules
daemon off;
$user
worker_processes $workers;
worker_shutdown_timeout $shutdown;
pid $folder/nginx.pid;
error_log $folder/error.log notice;
env TMPDIR=$folder;
$env
env FOG_COVERAGE;
events { worker_connections 2048; }
http {
  access_log off;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi;
  scgi_temp_path $folder/scgi;
  lua_package_path "$coverage;$folder/?.lua;$root/?.lua;$root/lua/?.lua;$root/lua/?/init.lua;;";
  lua_package_cpath "$root/build/luajit/?.so;;";
  $http
  server {
    listen 127.0.0.1:$port reuseport backlog=2048;
    default_type text/plain;
    $server
  }
}
]]

local function run(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

--- This checkout.
local ROOT = run("pwd"):gsub("%s+$", "")

local function free_port()
  local probe = assert(socket.bind("127.0.0.1", 0))
  local _, port = probe:getsockname()
  probe:close()
  return port
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function read(path)
  local file = io.open(path)
  local text = file and file:read("*a") or ""
  if file then file:close() end
  return text
end

--- Fills `$name` of a text from `values`; what is not there stays, for nginx has variables too.
local function fill(text, values)
  return (text:gsub("%$([%a_]+)", values))
end

local function modules()
  local lines = {}
  for _, name in ipairs { "ndk_http_module", "ngx_http_lua_module" } do
    lines[#lines + 1] = ("load_module /usr/lib/nginx/modules/%s.so;"):format(name)
  end
  return table.concat(lines, "\n")
end

local function configure(self)
  local options = self.options
  local values = {
    folder = self.folder, root = ROOT, port = tostring(self.port), workers = tostring(options.workers or 1),
    shutdown = options.shutdown or "10s", http = options.http or "", server = options.server or "",
    env = options.env or "", coverage = os.getenv("FOG_COVERAGE_PATH") or "", modules = modules(),
    user = run("id -u"):find("^0%s") and "user root root;" or "",
  }
  values.http, values.server = fill(values.http, values), fill(values.server, values)
  write(self.folder .. "/nginx.conf", fill(self.options.config or CONFIG, values))
end

local function answers(self)
  local client = socket.connect("127.0.0.1", self.port)
  if client then client:close() end
  return client ~= nil
end

--- The configuration of an example, with what it says of places and ports made ours.
function Nginx.example(path, workers)
  local text = read(path):gsub("127%.0%.0%.1:8080", "127.0.0.1:$port"):gsub("build/nginx%.", "$folder/")
  text = text:gsub("error_log stderr", "error_log $folder/error.log")
  text = text:gsub("worker_processes %d+", "worker_processes " .. workers)
  return "$user\nenv TMPDIR=$folder;\n" .. text
end

--- Starts it and waits until it answers. Raises with its log when it does not.
---@param options table  http, server: configuration there, or config: all of it; workers, shutdown, env; prefix: where
---                      relative names begin; environment: name -> value; files: name -> text in `$folder`
function Nginx.start(options)
  local self = setmetatable({ options = options, port = free_port() }, Nginx)
  self.folder = run("mktemp -d /tmp/fogcloud-nginx.XXXXXX"):gsub("%s+$", "")
  self.url = ("http://127.0.0.1:%d"):format(self.port)
  for name, text in pairs(options.files or {}) do write(self.folder .. "/" .. name, text) end
  configure(self)
  local command = { "/usr/bin/setpriv", "--pdeathsig", "TERM", "/usr/bin/env" } -- it ends with us at the latest
  for name, value in pairs(options.environment or {}) do command[#command + 1] = name .. "=" .. value end
  for _, word in ipairs { "/usr/sbin/nginx", "-e", self.folder .. "/error.log", "-p", options.prefix or self.folder,
    "-c", self.folder .. "/nginx.conf" } do
    command[#command + 1] = word
  end
  local pid, to, from = process.spawn(command, self.folder .. "/stderr.log")
  self.pid, self.fds = assert(pid, to), { to, from }
  local ok, why = pcall(self.wait_for, self, "nginx to answer", function() return answers(self) end)
  if ok then return self end
  pcall(self.stop, self)
  error(why, 2)
end

--- Waits until `done()` gives something true, which it returns; raises with nginx's log after `seconds` (20).
function Nginx:wait_for(what, done, seconds)
  local deadline = core.now() + (seconds or 20)
  while core.now() < deadline do
    local result = done()
    if result then return result end
    socket.sleep(0.02)
  end
  error(("waited in vain for %s\n%s%s"):format(what, self:log(), read(self.folder .. "/stderr.log")), 2)
end

--- The body and the status of a GET, or of a POST with `body`.
function Nginx:get(path, body)
  local data = body and ("-X POST --data-binary '%s'"):format(body) or ""
  local text = run(("curl -s -m 30 -w '\\n%%{http_code}' %s '%s%s'"):format(data, self.url, path))
  local answer, status = text:match("^(.*)\n(%d+)$")
  return answer, tonumber(status)
end

--- Many GETs of one path at once: a list of the bodies, each of which must be one line.
function Nginx:get_many(path, count)
  local urls = ("%s%s?[1-%d]"):format(self.url, path, count)
  local bodies = {}
  for line in run(("curl -s -m 60 -Z --parallel-immediate --parallel-max %d '%s' 2>/dev/null"):format(count, urls)):gmatch("[^\n]+") do
    bodies[#bodies + 1] = line
  end
  return bodies
end

--- The pids of its processes: workers, and those that are shutting down.
function Nginx:workers()
  local pids = {}
  for pid in run("ps -o pid= --ppid " .. self.pid):gmatch("%d+") do pids[#pids + 1] = tonumber(pid) end
  return pids
end

--- Reloads; the pids of the old workers.
function Nginx:reload()
  local old = self:workers()
  process.kill(self.pid, HUP)
  return old
end

--- Whether none of these processes is left.
function Nginx.are_gone(_, pids)
  for _, pid in ipairs(pids) do
    if read(("/proc/%d/stat"):format(pid)):find("%) [^Z]") then return false end
  end
  return true
end

function Nginx.kill_worker(_, pid) process.kill(pid, KILL) end

function Nginx:log() return read(self.folder .. "/error.log") end

--- The lines of its log that are no mere notices; `except`: a pattern of those that are expected.
function Nginx:complaints(except)
  local found = {}
  for line in self:log():gmatch("[^\n]+") do
    if not line:find("%[notice%]") and not (except and line:find(except)) then found[#found + 1] = line end
  end
  return found
end

--- What lies in its folder that looks like a wake-up socket's.
function Nginx:wake_up_folders() return run("ls -d " .. self.folder .. "/fogcloud.* 2>/dev/null") end

--- Ends it, waits until nothing of it is left, and removes its folder; raises when a worker crashed. Harmless twice.
function Nginx:stop()
  if self.pid == nil then return end
  process.kill(self.pid, TERM)
  process.wait(self.pid, true)
  for _, fd in ipairs(self.fds) do process.close_fd(fd) end
  local log = self:log()
  run("rm -rf " .. self.folder)
  self.pid = nil
  local crash = log:gsub("exited on signal 9", ""):match("[^\n]*exited on signal[^\n]*") -- 9: kill_worker
  if crash then error(crash, 2) end
end

Nginx.root = ROOT

return Nginx
