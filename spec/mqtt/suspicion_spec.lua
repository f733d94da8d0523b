-- SPDX-License-Identifier: MIT

-- What is given up on, and after what; the links are told of as the core does.
local Suspicion = require "fogcloud.mqtt.suspicion"

describe("suspicion", function()
  local suspicion
  before_each(function() suspicion = Suspicion.new(10) end)

  -- One link that falls: what was given up then.
  local function fall(event, cut, stable)
    suspicion:wants_probe()
    local filter, err = suspicion:note_lost(event, cut, stable or false)
    return filter or suspicion:take_verdict(), err
  end

  local function hangs_up(id, waited)
    return { code = 0, kind = "closed", suspect = id and { id = id }, waited = waited or 0.001 }
  end

  -- How many links fall before something is given up, at most `most`.
  local function links(most, event, cut)
    for link = 1, most do
      local verdict, err = fall(type(event) == "function" and event(link) or event, cut)
      if verdict then return link, verdict, err end
    end
  end

  it("gives up a message after many probes", function()
    local n, verdict = links(100, hangs_up(7))
    assert.same({ 16, 7 }, { n, verdict })
    assert.is_nil(suspicion:take_verdict())
    assert.is_nil(suspicion:wants_probe()) -- it starts anew
  end)

  it("gives up a new subscription after a few, one that was granted once after many", function()
    local n, filter, err = links(100, hangs_up(nil), { filter = "a/#", new = true })
    assert.same({ 5, "a/#" }, { n, filter })
    assert.matches("hangs up on the subscription to 'a/#'", tostring(err))
    assert.equal(16, (links(100, hangs_up(nil), { filter = "a/#", new = false })))
  end)

  it("needs a few probes where MQTT 5 says what is wrong", function()
    assert.equal(5, (links(100, { code = 0x95, suspect = { id = 1 }, waited = 0 })))
  end)

  it("blames nothing for a link that fell with nothing on its way, and starts anew", function()
    assert.is_nil(links(200, function(link) return hangs_up(link % 10 ~= 0 and 7 or nil) end))
  end)

  it("blames nothing for silence, for faults of our own, and for reasons that are the broker's", function()
    for _, kind in ipairs { "timeout", "local", "left" } do
      assert.is_nil(links(100, { code = 0, kind = kind, suspect = { id = 7 }, waited = 0 }), kind)
    end
    for _, code in ipairs { 0x89, 0x8B, 0x8D, 0x8E, 0x93, 0x96, 0x97, 0x98, 0x9C, 0x9D } do
      assert.is_nil(links(100, { code = code, suspect = { id = 7 }, waited = 0 }), code)
    end
  end)

  it("blames nothing that changes from link to link", function()
    assert.is_nil(links(100, function(link) return hangs_up(link) end))
  end)

  it("starts anew after a link that lasted", function()
    for _ = 1, 15 do assert.is_nil(fall(hangs_up(7))) end
    assert.is_nil(fall(hangs_up(7), nil, true))
    assert.is_nil(suspicion:wants_probe())
  end)

  it("lets a probe live for longer than the broker needs to hang up", function()
    assert.is_nil(suspicion:wants_probe())
    fall(hangs_up(7, 0.2))
    fall(hangs_up(7, 0.2))
    assert.equal(0.8, suspicion:wants_probe())
    assert.equal(14, (links(100, hangs_up(7, 0.2))))
  end)

  it("blames nothing where the broker takes longer than a probe can", function()
    assert.is_nil(links(200, hangs_up(7, 3)))
    assert.equal(4, suspicion:wants_probe())
  end)

  it("comes back soon at first, and then at the usual distances", function()
    local seen = {}
    assert.is_nil(suspicion:failures())
    for link = 1, 9 do
      fall(hangs_up(7))
      seen[link] = suspicion:failures()
    end
    assert.same({ 1, 1, 1, 1, 1, 1, 2, 3, 4 }, seen)
  end)
end)
