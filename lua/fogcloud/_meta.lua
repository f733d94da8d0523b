---@meta fogcloud.core
-- SPDX-License-Identifier: MIT

-- luacheck: ignore 211 212 231 241
-- For lua-language-server, never loaded by a program: the tables that calls take and give, and `fogcloud.core`, the C
-- half, which is the library's own and may change with any version.

-- What users see -----------------------------------------------------------------------------------------------------

--- What an MQTT client connects with. Fields that are not named here are kept as the cloud sent them.
---@class fogcloud.Credentials
---@field clientid string    MQTT client id; the permission calls name the client by it
---@field loginname string?  user name for the broker; a broker that knows no users takes clients without
---@field password string?   can never be had again
---@field mqtthost string    host name of the broker
---@field mqttport integer?  its plain port
---@field sslport integer?   its TLS port
---@field endpoint string?   id of the broker

---@class fogcloud.Permission
---@field client_id string
---@field device_id string

---@class fogcloud.Product
---@field productid string
---@field pname string

--- The third argument of a subscription's handler.
---@class fogcloud.Message
---@field qos 0|1|2
---@field retained boolean                 kept by the broker from before
---@field dup boolean                      may have come before
---@field properties fogcloud.Properties?  MQTT 5, where there are any

--- Properties of MQTT 5. Each may be set where its line says, elsewhere it raises; those received come in a message
--- or with "connect".
---@class (exact) fogcloud.Properties
---@field payload_format_indicator integer?      publish, will: 1 when the payload is UTF-8
---@field message_expiry_interval integer?       publish, will: seconds
---@field content_type string?                   publish, will
---@field response_topic string?                 publish, will
---@field correlation_data string?               publish, will
---@field will_delay_interval integer?           will: seconds
---@field subscription_identifier integer?       subscribe; received with the messages that it brings: a list where a
---                                             message has several
---@field maximum_packet_size integer?           connect: bytes
---@field request_response_information integer?  connect
---@field request_problem_information integer?   connect
---@field user_properties string[][]?            publish, will, connect, subscribe, disconnect: list of { name, value }
---@field topic_alias_maximum integer?           connect; received
---@field session_expiry_interval integer?              received
---@field assigned_client_identifier string?            received
---@field server_keep_alive integer?                    received
---@field authentication_method string?                 received
---@field authentication_data string?                   received
---@field response_information string?                  received
---@field server_reference string?                      received
---@field reason_string string?                  disconnect; received
---@field receive_maximum integer?                      received
---@field topic_alias integer?                          received
---@field maximum_qos integer?                          received
---@field retain_available integer?                     received
---@field wildcard_subscription_available integer?      received
---@field subscription_identifiers_available integer?   received
---@field shared_subscription_available integer?        received

--- What the broker sends when we are gone without a goodbye.
---@class (exact) fogcloud.Will
---@field topic string
---@field payload string?                  default empty
---@field qos 0|1|2|nil                    default 0
---@field retained boolean?                default false
---@field properties fogcloud.Properties?  MQTT 5

--- Templates of a device's topics; `{device}` and `{channel}` are filled in.
---@class (exact) fogcloud.Topics
---@field from_device string?  default "d2c/{device}/{channel}"
---@field to_device string?    default "c2d/{device}/{channel}"

-- The C half ---------------------------------------------------------------------------------------------------------

--- The monotonic clock, the wall clock (seconds), this process, whether another is alive, the number of the space that
--- process ids are from (0: not known), a reply's header block as a table, and the bytes of MQTT 5 properties. `watch`
--- is true for one Lua state of a process until `unwatch`.
---@class fogcloud.core
---@field now fun(): number
---@field wall fun(): number
---@field pid fun(): integer
---@field alive fun(pid: integer): boolean
---@field space fun(): integer
---@field random fun(n: integer): string?   bytes of the system's, at most 256; nil where it has none
---@field probe fun(host: string, port: string, options: table): table  one connection, step by step; see probe.c
---@field signals_catch fun(): boolean   SIGTERM and SIGINT are kept in mind from now on; false: they are already
---@field signals_caught fun(): string?   "SIGTERM" or "SIGINT": the last one that came, once
---@field signals_release fun()           they do again what they did before
---@field watch fun(): boolean
---@field unwatch fun()
---@field notify fun(path: string, text: string): boolean?, string?  a word to the service manager
---@field headers fun(head: string): table<string, string>
---@field properties fun(properties: fogcloud.Properties, packet: "publish"|"will"|"connect"|"subscribe"): string
---@field plain_data fun(body: string): any  the data of a reply without anything unusual; nil else: see plain.c
---@field common fun(fields: table): userdata  what all requests of a cloud share, made ready once: see api.c
---@field versions fun(): table  of the libraries: curl, tls, mqtt, async_dns; loads libcurl; "none": it is not there
---@field engine fun(options: table?): fogcloud.core.Engine?, string?
---@field file fogcloud.core.File
---@field terminal fogcloud.core.Terminal
local core = {}

--- One per Lua state: owns the queue of events, the HTTP requests and the sessions.
---@class fogcloud.core.Engine
local Engine = {}

--- Waits until an event is there or so many seconds have passed; nil: for ever.
---@param timeout number?
function Engine:wait(timeout) end

--- The next event's name and facts; nothing when there is none.
---@return string? name
---@return any ...
function Engine:next() end

--- The same, again and again the same one until `drop`: for who may be ended by an error before it has dealt with it.
---@return string? name
---@return any ...
function Engine:peek() end

--- Forgets what `peek` gave.
function Engine:drop() end

--- The descriptor that is readable while events wait.
---@return integer
function Engine:fd() end

--- Makes the descriptor readable now, with or without an event.
function Engine:wake() end

--- Sends what sessions without a thread have queued, for a program that does not wait again soon.
function Engine:send() end

--- From now on requests are made on a thread of their own.
function Engine:background() end

--- What a module of its own reports through to this engine (fogcloud.redis).
---@return userdata
function Engine:port() end

--- The number of the next request.
---@return number
function Engine:id() end

--- Ends a request; no event of it comes any more.
---@param id number
function Engine:cancel(id) end

--- Ends everything. Harmless twice.
function Engine:close() end

--- The core's half of a session; limits: out_count, out_bytes, in_count, in_bytes, window, hold, handled, thread
--- (false: it is served while the engine waits).
---@param limits table?
---@return fogcloud.core.Session? session
---@return string? why
function Engine:session(limits) end

--- The path of a socket that wakes whoever connects to it, once.
---@return string? path
---@return string? why
function Engine:listen() end

--- Takes that connection in; the path is gone then.
---@return boolean? ok
---@return string? why
function Engine:mirror() end

--- Each of the five requests: where and how, then the call's own parameters. Its end comes as an event.
---@param opts table
---@param params table
---@return number? id
---@return string? why
function Engine:token(opts, params) end

---@param opts table
---@param params table
---@return number? id
---@return string? why
function Engine:create_client(opts, params) end

---@param opts table
---@param params table
---@return number? id
---@return string? why
function Engine:grant(opts, params) end

---@param opts table
---@param params table
---@return number? id
---@return string? why
function Engine:revoke(opts, params) end

---@param opts table
---@param params table
---@return number? id
---@return string? why
function Engine:products(opts, params) end

--- Commands to the dispatcher, and messages out of the inbox. None of them waits.
---@class fogcloud.core.Session
local Session = {}

---@param options table  of one link
---@return boolean? ok
---@return string? why
function Session:connect(options) end

---@param token number  comes back with the answer
---@param filter string
---@param qos 0|1|2
---@param options table?
---@return boolean? ok
---@return string? why
function Session:subscribe(token, filter, qos, options) end

---@param token number
---@param filter string
---@return boolean? ok
---@return string? why
function Session:unsubscribe(token, filter) end

---@param topic string
---@param payload string
---@param qos 0|1|2|nil
---@param retained boolean?
---@param notify boolean?     an event tells its end in any case
---@param properties string?  what core.properties made
---@return number? id
---@return string? why        "full", "too large", "not enough memory"
function Session:publish(topic, payload, qos, retained, notify, properties) end

--- `publish` of this session as a function without the session: what is called most is found with nothing looked up.
---@return function publish  takes what `publish` takes, and gives what it gives
function Session:publisher() end

--- Whether a message of so many bytes in all would be taken; with `wait` an event comes once there is room again.
---@param bytes number
---@param wait boolean?
---@return boolean? ok
---@return string? why  "full", "too large"
function Session:room(bytes, wait) end

--- QoS 0 messages dropped at the inbox's bound, so far.
---@return number
function Session:received_dropped() end

--- A function that gives the next message: topic, payload, flags (QoS + 4 retained + 8 duplicate), properties (a number
--- where there is nothing but one Subscription Identifier), number; nothing when there is none. The number, with
--- acknowledge = "handled", is given back with the next call once that message is handled.
---@return fun(handled: number?): string?, string?, integer?, fogcloud.Properties|integer|nil, number?
function Session:receiver() end

--- Whether there is something to receive.
---@return boolean
function Session:pending() end

--- Whether nothing waits to be acknowledged; if not, an event comes when that is so.
---@return boolean
function Session:drained() end

--- Leaves the broker, with a goodbye.
function Session:leave() end

--- Messages may be sent on this link.
---@param link integer
function Session:feed(link) end

--- Takes no message in any more; what is handled from now on is acknowledged at once.
function Session:hold() end

--- Whether nothing is read now, for the inbox is full.
---@return boolean
function Session:resting() end

--- A message is handled, and none is received instead.
---@param number number  what the receiver gave with it
function Session:handled(number) end

--- Sends AUTH (MQTT 5).
---@param properties string  what core.properties made
---@return boolean? ok
---@return string? why
function Session:authenticate(properties) end

---@return integer
function Session:id() end

---@return fogcloud.SessionStats
function Session:stats() end

--- Ends the session with a goodbye; what was counted and received can still be had. Harmless twice.
---@param reason integer?     of DISCONNECT (MQTT 5)
---@param properties string?  what core.properties made
function Session:close(reason, properties) end

--- Files that hold secrets: 0600, replaced in one step. `why` is absent, busy, foreign, loose, special, large or io.
---@class fogcloud.core.File
---@field read fun(path: string, max: integer?, kind: "secret"|"regular"|nil): string?, string?, string?
---@field append fun(path: string, text: string): boolean?, string?, string?
---@field write fun(path: string, text: string): boolean?, string?, string?
---@field folder fun(path: string): boolean?, string?, string?
---@field lock fun(path: string): fogcloud.core.Lock?, string?, string?, integer?
---@field remove fun(path: string): boolean?, string?, string?
---@field readable fun(path: string): boolean?, string?  whether it can be opened, by links too; nil, why not
---@field home fun(): string?  the user's folder by the user database

---@class fogcloud.core.Lock
local Lock = {}

--- Gives the lock up. Harmless twice.
function Lock:unlock() end

--- For the command line. `read` gives "" when nothing came within `seconds`, nil at the end; `read_secret` nil without
--- a terminal; after `catch_interrupts` the first SIGINT or SIGTERM is only noted.
---@class fogcloud.core.Terminal
---@field is_terminal fun(fd: integer): boolean
---@field size fun(): integer?, integer?  columns, rows
---@field width fun(text: string): integer
---@field read_secret fun(prompt: string): string?, string?
---@field catch_interrupts fun()
---@field interrupted fun(): boolean
---@field read fun(fd: integer, seconds: number?): string?

return core
