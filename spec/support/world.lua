-- SPDX-License-Identifier: MIT

--- A sandbox, a cloud of its account, and sessions, for the specs of a `describe`: closed whatever happens in a spec.
local busted = require "busted"
local fogcloud = require "fogcloud"
local scripted_broker = require "spec.support.scripted_broker"
local support = require "spec.support.sandbox"

local world = {}

local function merged(defaults, given)
  local all = {}
  for name, value in pairs(defaults or {}) do all[name] = value end
  for name, value in pairs(given or {}) do all[name] = value end
  return all
end

-- What a spec calls, on the sessions and brokers that are open in it.
local function functions(here, options)
  --- Closes the session at the end of the spec; gives what it got.
  function here.keep(session, err)
    if session then table.insert(here.open, session) end
    return session, err
  end

  --- A session of a new client with permission on a list of devices, or of credentials in its place.
  function here.connect(opts, whom)
    whom = whom or options.devices or { "dev1" }
    local credentials = whom.clientid and whom or support.client(here.sandbox, here.cloud, whom)
    return assert(here.keep(here.cloud:connect(credentials, merged(options.session, opts))))
  end

  --- A device of the sandbox's with its report and on_command.
  function here.device(id)
    local device = assert(here.sandbox:device(id or "dev1"))
    here.keep(device.session)
    return device
  end

  --- A session that logs in as a device of the seed.
  function here.device_session(id, opts)
    local credentials = support.device_credentials(here.sandbox, id or "dev1")
    return assert(here.keep(fogcloud.connect(credentials, merged(options.session, opts))))
  end

  --- A session with a scripted broker in this mode, plain; or nil, err.
  function here.scripted(mode, opts)
    local broker = scripted_broker.start(mode)
    table.insert(here.brokers, broker)
    return here.keep(fogcloud.connect(broker:credentials(), merged(merged(options.scripted, { tls = false }), opts)))
  end
end

local function start(here, options, made)
  here.sandbox = support.start(options.sandbox)
  here.cloud = support.cloud(here.sandbox)
  made(here.sandbox, here.cloud)
end

local function close_all(here)
  for _, session in ipairs(here.open) do session:close() end
  fogcloud.run()
  for _, broker in ipairs(here.brokers) do broker:stop() end
end

--- To be called in a `describe`. Options: `sandbox`, what it is started with; `session`, options that every session gets
--- unless a call has its own; `scripted`, the same with scripted brokers; `devices`, on whom a client gets permission
--- ({ "dev1" }); `each`: a sandbox for each spec, not one for all. Hands sandbox and cloud to `made` when they are there.
function world.new(options, made)
  local here = {}
  functions(here, options)
  local before, after = busted.setup, busted.teardown
  if options.each then before, after = busted.before_each, busted.after_each end
  before(function() start(here, options, made) end)
  busted.before_each(function() here.open, here.brokers = {}, {} end)
  busted.after_each(function()
    close_all(here)
    if options.sandbox and options.sandbox.mqtt_faults then here.sandbox:heal_mqtt() end
  end)
  after(function() here.sandbox:stop() end)
  return here
end

return world
