-- SPDX-License-Identifier: MIT

local diagnosis = require "fogcloud.mqtt.diagnosis"

describe("a refused connection", function()
  local WHERE = "mqtts://broker.example:8883"
  local function refused(text, kind) return diagnosis.refused({ code = 0, kind = kind or "tls", text = text }, WHERE) end

  it("that broke off during the handshake is tried again", function()
    for _, text in ipairs { "TLS: unexpected eof while reading", "Connection reset by peer", "Broken pipe",
      "the other side closed during the TLS handshake" } do
      local err = refused(text)
      assert.same({ "network", true, WHERE }, { err.kind, err.retryable, err.endpoint })
      assert.matches("TLS port %(sslport%)%?", tostring(err))
    end
  end)

  it("asks whether the broker runs only where nobody listens", function()
    assert.matches("is it running", tostring(refused("localhost:1 (127.0.0.1): Connection refused", "network")))
    for _, kind in ipairs { "closed", "timeout", "websocket", "proxy", "protocol" } do
      assert.is_nil(tostring(refused("other words", kind)):find("running", 1, true), kind)
    end
  end)

  it("that failed for a reason of TLS is not, and its text is given", function()
    for text, expected in pairs {
      ["certificate verify failed: certificate has expired"] =
        "has expired, or this machine's clock is wrong (certificate verify failed: certificate has expired)",
      ["certificate verify failed: certificate is not yet valid"] = "is not valid yet",
      ["certificate verify failed: hostname mismatch"] = "is for another host name than mqtthost",
      ["certificate verify failed: unable to get local issuer certificate"] =
        "is not signed by a trusted authority: check ca_file",
      ["TLS: wrong version number"] =
        "does not speak TLS: use sslport, or tls = false for the plain port (TLS: wrong version number)",
      ["TLS: tlsv13 alert certificate required"] = "the broker wants a certificate of the client",
      ["key_password: k.pem: the pass phrase does not open the key"] = "key_password must be its pass phrase",
      ["TLS: tlsv1 alert unknown ca"] = "no secure connection to the broker: TLS: tlsv1 alert unknown ca",
      ["other words"] = "no secure connection to the broker: other words",
    } do
      local err = refused(text)
      assert.same({ "tls", false }, { err.kind, err.retryable })
      assert.truthy(tostring(err):find(expected, 1, true), tostring(err))
    end
  end)
end)

describe("a lost link", function()
  it("names a packet of ours where the broker says so, and not where we refused one of the broker's", function()
    assert.is_true(diagnosis.names_a_packet { code = 0x95 })
    assert.is_false(diagnosis.names_a_packet { code = 0x95, kind = "protocol" })
    assert.is_false(diagnosis.names_a_packet { code = 0x8B })
  end)
end)
