-- SPDX-License-Identifier: MIT

--- The steps of scenario.lua as a test file for pytest, with all that it needs besides requests and paho-mqtt. Pure.
local json = require "fogcloud.sandbox.json"

local python = {}

local HEAD = [==[
"""Made of the timeline of a sandbox: it starts one of its own, does the same, and expects the same.
Needs requests and paho-mqtt, and `fogcloud` on the PATH, or $FOGCLOUD."""
import json, os, queue, subprocess, time
import paho.mqtt.client as mqtt
import pytest, requests

OPTIONS = %s
SEED = %s
FAILS = ("lost", "cut before", "cut during")


def client_of(client_id):
    versions = getattr(mqtt, "CallbackAPIVersion", None)
    return mqtt.Client(versions.VERSION1, client_id) if versions else mqtt.Client(client_id)


class Party:
    def __init__(self, info, client_id, login, password):
        self.got, self.done = [], queue.Queue()
        self.client = client_of(client_id)
        self.client.username_pw_set(login, password)
        self.client.on_connect = lambda client, data, flags, code: self.done.put(("connect", code))
        self.client.on_subscribe = lambda client, data, mid, *rest: self.done.put(("subscribe", mid))
        self.client.on_unsubscribe = lambda client, data, mid, *rest: self.done.put(("unsubscribe", mid))
        self.client.on_message = lambda client, data, message: self.got.append((message.topic, message.payload))
        self.client.connect(info["mqtt_host"], int(info["mqtt_port"]))
        self.client.loop_start()
        self.code = self.wait("connect")

    def wait(self, kind):
        while True:
            found, value = self.done.get(timeout=10)
            if found == kind:
                return value

    def settle(self):  # everything that the broker had when this began has come
        self.client.unsubscribe("c2d/settled/nothing")
        self.wait("unsubscribe")

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class Replay:
    def __init__(self, tmp):
        seed = []
        if SEED is not None:
            (tmp / "seed.json").write_text(json.dumps(SEED))
            seed = ["--seed", str(tmp / "seed.json")]
        command = [os.environ.get("FOGCLOUD", "fogcloud"), "sandbox", "--json", "--until-eof", *OPTIONS, *seed]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.info = json.loads(self.process.stdout.readline())
        self.tokens, self.clients, self.parties = {}, {}, {}

    def stop(self):
        for who in list(self.parties):
            self.close(who)
        self.process.stdin.close()
        self.process.wait(20)

    def resolve(self, params):
        def one(value):
            name = value[1:] if isinstance(value, str) and value.startswith("@") else None
            return self.tokens.get(name) or self.clients.get(name, {}).get("clientid", value) if name else value
        return {name: one(value) for name, value in (params or {}).items()}

    def call(self, method, path, params=None, json=False, broken=False, token=None, status=200, code=None, wire=None,
             saves_token=None, saves_client=None):
        headers = {} if token is None else {"Authorization": "Bearer " + self.tokens.get(token, "none")}
        params = self.resolve(params)
        body = {"data": "{", "headers": {**headers, "Content-Type": "application/json"}} if broken else \
            {"json": params, "headers": headers} if json else {"data": params, "headers": headers}
        try:
            reply = requests.request(method, self.info["url"] + path, timeout=60, **body)
        except requests.exceptions.RequestException:
            assert wire in FAILS, (method, path)
            return
        if wire == "cut during" and len(reply.content) < int(reply.headers["Content-Length"]):
            return
        assert wire not in FAILS and reply.status_code == status, (method, path, reply.status_code, reply.text)
        if code is not None:
            assert reply.json()["meta"]["code"] == code, (method, path, reply.text)
        if saves_token:
            self.tokens[saves_token] = reply.json()["data"]["access_token"]
        if saves_client:
            self.clients[saves_client] = reply.json()["data"]

    def sandbox(self, method, path, **more):
        reply = requests.request(method, self.info["url"] + "/_sandbox/" + path, timeout=60, **more)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def seen(self, kind, **fields):
        entries = self.sandbox("GET", "timeline")["entries"]
        return [e for e in entries if e["kind"] == kind and all(e.get(k) == v for k, v in fields.items())]

    def until_more(self, count, kind, **fields):
        deadline = time.time() + 10
        while len(self.seen(kind, **fields)) <= count and time.time() < deadline:
            time.sleep(0.02)

    def control(self, call, params=None):
        method, path = call.split(" ")
        params = self.resolve(params)
        watched = {"POST publish": ("message", {"topic": params.get("topic")}), "POST mqtt": ("bye", {})}.get(call)
        before = watched and len(self.seen(watched[0], **watched[1]))
        if method == "DELETE":
            self.sandbox(method, path, params=params)
            return
        said = self.sandbox(method, path, json=params)
        if watched and (call == "POST publish" or said.get("kicked")):
            self.until_more(before, watched[0], **watched[1])
        if "kick" in params:
            time.sleep(1.5)  # they come back by themselves

    def connect(self, who, device=None, client=None, refused=False):
        if client:
            made = self.clients[client]
            party = Party(self.info, made["clientid"], made["loginname"], made["password"])
        else:
            password = next(d["password"] for d in self.info["devices"] if d["id"] == device)
            party = Party(self.info, "replay-%%s-%%s" %% (who, device), device, password + ("?" if refused else ""))
        assert (party.code != 0) == refused, (who, party.code)
        if refused:
            party.close()
        else:
            self.parties[who] = party

    def subscribe(self, who, filter, qos=1):
        self.parties[who].client.subscribe(filter, qos)
        self.parties[who].wait("subscribe")

    def publish(self, who, topic, payload=b"", qos=1, retain=False, refused=False):
        self.parties[who].client.publish(topic, payload, qos, retain).wait_for_publish()
        self.parties[who].settle()

    def expect(self, who, messages):
        party, deadline = self.parties[who], time.time() + 10
        while len(party.got) < len(messages) and time.time() < deadline:
            time.sleep(0.01)
        party.settle()
        got, party.got = party.got, []
        assert sorted(got) == sorted(messages)

    def close(self, who):
        self.parties.pop(who).close()


@pytest.fixture
def r(tmp_path):
    replay = Replay(tmp_path)
    yield replay
    replay.stop()


def test_what_was_recorded_happens_again(r):
]==]

local FIELDS = {
  "who", "device", "client", "refused", "method", "path", "token", "params", "json", "broken", "filter", "topic",
  "payload", "qos", "retain", "messages", "status", "code", "wire", "saves_token", "saves_client",
}

local function escape(text)
  return (text:gsub('[%c"\\\127-\255]', function(c)
    if c == '"' or c == "\\" then return "\\" .. c end
    return ("\\x%02x"):format(c:byte())
  end))
end

local function bytes(text) return 'b"' .. escape(text) .. '"' end

-- Text that may not be ASCII: its bytes, decoded.
local function text_of(value)
  if value:find("[\128-\255]") then return bytes(value) .. '.decode("utf-8", "surrogateescape")' end
  return '"' .. escape(value) .. '"'
end

local literal -- below

local function sorted(object)
  local names = {}
  for name in pairs(object) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  return names
end

local function dict(object)
  local parts = {}
  for i, name in ipairs(sorted(object)) do parts[i] = text_of(tostring(name)) .. ": " .. literal(object[name]) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

function literal(value)
  if value == json.null then return "None" end
  if type(value) == "boolean" then return value and "True" or "False" end
  if type(value) == "number" then return value % 1 == 0 and ("%.0f"):format(value) or ("%.17g"):format(value) end
  if type(value) == "string" then return text_of(value) end
  if #value == 0 then return dict(value) end
  local parts = {}
  for i, one in ipairs(value) do parts[i] = literal(one) end
  return "[" .. table.concat(parts, ", ") .. "]"
end

local function messages_of(list)
  local parts = {}
  for i, message in ipairs(list) do parts[i] = ("(%s, %s)"):format(text_of(message[1]), bytes(message[2])) end
  return "[" .. table.concat(parts, ", ") .. "]"
end

local WRITE = { payload = bytes, messages = messages_of, params = dict }

local function line_of(step)
  if step.op == "control" then return ("r.control(%s, %s)"):format(text_of(step.call), dict(step.params or {})) end
  local parts = {}
  for _, name in ipairs(FIELDS) do
    local value = step[name]
    if value ~= nil and value ~= false then
      parts[#parts + 1] = name .. "=" .. (WRITE[name] or literal)(value)
    end
  end
  return ("r.%s(%s)"):format(step.op, table.concat(parts, ", "))
end

--- The file.
---@param steps table[]
---@param options table  of fogcloud.sandbox.start
---@return string
function python.file(steps, options)
  local args = require("fogcloud.sandbox.options").arguments(options)
  local lines = { HEAD:format(#args > 0 and literal(args) or "[]", options.seed and literal(options.seed) or "None") }
  for _, step in ipairs(steps) do
    if step.hint then lines[#lines + 1] = "    # " .. step.hint .. ":\n" end
    lines[#lines + 1] = "    " .. line_of(step) .. "\n"
  end
  if #steps == 0 then lines[2] = "    pass\n" end
  return table.concat(lines)
end

return python
