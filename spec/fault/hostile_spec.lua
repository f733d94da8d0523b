-- SPDX-License-Identifier: MIT

-- The client against servers that do their worst: no crash, no hang, no leak, each call ends by its deadline. A few seconds each;
-- FOG_FAULT_SECONDS=60 for a minute (make hostile), FOG_FAULT_SEED for other seeds. What the server sent, connection by connection,
-- stays in build/fault/ when a run fails.
local script = require "spec.support.script"
local socket = require "socket"

local SECONDS = tonumber(os.getenv("FOG_FAULT_SECONDS") or 4)
local SEED = tonumber(os.getenv("FOG_FAULT_SEED") or 2018)

local function read_all(command)
  local pipe = assert(io.popen(command .. "; echo $?"))
  local text = pipe:read("*a")
  pipe:close()
  return text:match("^(.-)\n?(%d+)\n$")
end

-- Runs a server and a client of it; the server ends when we let go of its first connection, and was hostile until then.
local function run(server, client, rate, seed)
  assert(os.execute("mkdir -p build/fault"))
  local build = os.getenv("FOGCLOUD_BUILD"):match("build/(.*)$"):gsub("/", "-")
  local record = ("build/fault/%s-%d-%s.record"):format(server, seed, build)
  local pipe = assert(io.popen(("FOG_FAULT_RECORD=%s exec lua5.4 spec/fault/%s.lua %d %s"):format(record, server, seed, rate)))
  local port = assert(tonumber(pipe:read("*l")), "the server did not start")
  local control = assert(socket.connect("127.0.0.1", port))
  local command = ("timeout %d %s spec/fault/%s.lua %d %d %d 2>&1"):format(SECONDS + 60, script.interpreter(), client, port, SECONDS, seed)
  local said, code = read_all(command)
  control:close()
  local did = pipe:read("*a")
  pipe:close()
  assert(code == "0", ("%s with seed %d ended with %s (see %s):\n%s"):format(client, seed, code, record, said))
  local connections, spoiled = did:match("^(%d+) connections, %d+ pieces, (%d+) spoiled")
  assert(connections, ("%s with seed %d ended before its client: %s"):format(server, seed, did))
  assert(tonumber(connections) >= 10 * SECONDS and tonumber(spoiled) >= 10 * SECONDS, did)
  os.remove(record)
  return said
end

describe("a client of hostile servers", function()
  it("ends every call by its deadline and keeps nothing, whatever the API answers", function()
    assert.matches("%d+ calls succeeded, %d+ failed", run("http_server", "http_client", 0.5, SEED))
  end)

  it("survives a broker that spoils a third of its packets", function()
    assert.matches("%d+ connected", run("mqtt_broker", "mqtt_client", 0.3, SEED))
  end)
end)
