-- SPDX-License-Identifier: MIT

--- What bare_host.c runs: the conformance suite, and what else reaches out of a state: files, and errors that nobody
--- handles. Prints a line for each.
return function(fogcloud, conformance, print, base_url, client_id, client_secret, ca_pem, app_id, tls_port, ca_file, folder)
  local account, one, device = {}, nil, { clientid = "device-dev1", loginname = "dev1", password = "dev1-secret",
    mqtthost = "localhost", sslport = tonumber(tls_port) }
  local function cloud(store)
    return fogcloud.new { base_url = base_url, client_id = client_id, client_secret = client_secret, ca_pem = ca_pem,
      store = store, environment = false }
  end
  function account.cloud()
    one = one or cloud()
    return one
  end
  function account.session() return assert(account.cloud():open { app_id = app_id, devices = { "dev1" } }) end
  function account.device() return assert(account.cloud():connect(device, { ca_file = ca_file })) end

  local function files()
    assert(cloud("file:" .. folder):token())
    local leader = fogcloud.lead("bare", account.session, "file:" .. folder)
    assert(leader:await(10))
    leader:finish(10)
    local session, err = account.cloud():connect(device, { ca_file = folder .. "/none" })
    assert(session == nil and err.message:find("none: No such file", 1, true), err and err.message)
  end

  -- Of a task and of a handler: to whoever listens, and where nobody does, nothing else ends of it.
  local function unhandled(count)
    local session, player, tries = account.session(), account.device(), 0
    fogcloud.spawn(function() error "boom" end)
    assert(session:subscribe("d2c/dev1/n", 1, function()
      tries = tries + 1
      error "boom"
    end))
    assert(player:publish("d2c/dev1/n", "x", { qos = 1 }))
    for _ = 1, 1000 do
      if tries > 0 and count() >= 2 then break end
      fogcloud.sleep(0.01)
    end
    session:close()
    player:close()
    assert(tries == 1 and count() == 2, count())
  end
  local function errors()
    local heard = 0
    fogcloud.log(function(level, message, fields)
      if level == "error" and (message .. tostring(fields.err)):find "boom" then heard = heard + 1 end
    end)
    unhandled(function() return heard end)
    fogcloud.log(nil)
    unhandled(function() return 2 end)
  end

  fogcloud.spawn(function()
    for _, case in ipairs(conformance.names()) do print(case .. ": " .. conformance.run(case, account)) end
    for name, fn in pairs { files = files, errors = errors } do
      local ok, why = fogcloud.spawn(fn):wait(30)
      print(name .. ": " .. (ok and "ok" or tostring(why)))
    end
  end)
  fogcloud.run()
end
