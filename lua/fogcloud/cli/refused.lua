-- SPDX-License-Identifier: MIT

--- Options that are known and not taken, each with what to use in its place: those of mosquitto_pub and mosquitto_sub
--- which the library cannot do, and those of other programs' habits. Pure.
local refused = {}

local NO_PASSWORD = "a password among the arguments can be read by everybody on this machine: set "
  .. "FOGCLOUD_MQTT_PASSWORD, or name a file that holds it by --password-file"
local NO_SHARED_KEY = "TLS by a shared key is not spoken: use certificates, by --cafile and, for the client, --cert "
  .. "and --key"
local NO_ENGINE = "engines are not used: give the key as a PEM file by --key"

-- At any broker: of `pub`, `sub` and `test`.
local MOSQUITTO = {
  ["-P"] = NO_PASSWORD, ["--pw"] = NO_PASSWORD,
  ["-A"] = "the system's routes choose the address: set a route to the broker, as in ip route add HOST src ADDRESS",
  ["-S"] = "SRV records are not looked up: find them by dig +short SRV _mqtt._tcp.HOST, and give -h HOST -p PORT",
  ["--unix"] = "Unix sockets are not spoken: give the broker a listener on 127.0.0.1, or put one before it: "
    .. "socat TCP-LISTEN:1883,bind=127.0.0.1,fork UNIX-CONNECT:PATH",
  ["--insecure"] = "certificates are always checked: name their authority by --cafile, and the name that they are for "
    .. "by --server-name",
  ["--capath"] = "one file holds the authorities: make it by cat DIR/*.crt > ca.pem, and name it by --cafile",
  ["--ciphers"] = "OpenSSL's configuration chooses: CipherString and Ciphersuites in the file that OPENSSL_CONF names",
  ["--psk"] = NO_SHARED_KEY, ["--psk-identity"] = NO_SHARED_KEY,
  ["--tls-engine"] = NO_ENGINE, ["--tls-engine-kpass-sha1"] = NO_ENGINE,
}

local KEPT = "the command talks to the broker of a client that is kept here: choose it by --client NAME, or "
  .. "--credentials FILE"
local NO_SECRET = "a secret is no argument: login asks for it, or reads --secret-file FILE"
local MORE = "FOGCLOUD_LOG=debug tells more"

-- Of all commands.
local HABITS = {
  ["--host"] = KEPT, ["--port"] = KEPT, ["-p"] = KEPT, ["-u"] = KEPT, ["--username"] = KEPT, ["-i"] = KEPT,
  ["--hostname"] = KEPT, ["--server"] = KEPT, ["--broker"] = KEPT, ["-P"] = NO_PASSWORD, ["--pw"] = NO_PASSWORD,
  ["--password"] = NO_PASSWORD, ["--secret"] = NO_SECRET, ["--client-secret"] = NO_SECRET,
  ["--url"] = "the address of the API is given by --base-url URL", ["--ca"] = "the option is --ca-file FILE",
  ["--format"] = "for programs there is --json",
  ["--output"] = "for programs there is --json", ["--verbose"] = MORE, ["-v"] = MORE,
  ["--no-color"] = "the option is --color never",
  ["--file"] = "ids are read from a file by --devices FILE",
}

--- What to do in the place of an option of mosquitto's; nil where it is taken.
---@param option string  as it stands among the arguments: "-A", "--psk"
---@return string?
function refused.of_mosquitto(option) return MOSQUITTO[option] end

--- What to do in the place of an option that the parser does not know; nil where that is not known either.
---@param option string
---@return string?
function refused.of_habit(option) return HABITS[option] end

--- The options of mosquitto's that are refused, with what is said: for the documentation's own check.
---@return table<string, string>
function refused.options() return MOSQUITTO end

--- All that is said here, each text once: for the table of another language.
---@return table<string, true>
function refused.texts()
  local set = {}
  for _, list in ipairs { MOSQUITTO, HABITS } do
    for _, text in pairs(list) do set[text] = true end
  end
  return set
end

return refused
