-- SPDX-License-Identifier: MIT

local diagnosis = require "fogcloud.mqtt.diagnosis"

describe("a refused connection", function()
  local URI = "ssl://broker.example:8883"
  local function refused(text) return diagnosis.refused(-1, text, "tls", URI) end

  it("that broke off during the handshake is tried again", function()
    for _, text in ipairs {
      "C016862C547F0000:error:0A000126:SSL routines:ssl3_read_n:unexpected eof while reading:../ssl/record/rec_layer_s3.c:318:",
      "C016862C547F0000:error:80000068:system library:sock_read:Connection reset by peer:",
      "C016862C547F0000:error:80000020:system library:sock_write:Broken pipe:",
    } do
      local err = refused(text)
      assert.same({ "network", true, URI }, { err.kind, err.retryable, err.endpoint })
      assert.matches("is it running", tostring(err))
    end
  end)

  it("that failed for a reason of TLS is not, and its text is given", function()
    for text, expected in pairs {
      ["C0:error:0A000086:SSL routines:a:certificate verify failed:../b.c:1889:certificate has expired"] =
        "has expired, or this machine's clock is wrong (certificate verify failed: certificate has expired)",
      ["C0:error:0A000086:SSL routines:a:certificate verify failed:../b.c:1889:certificate is not yet valid"] =
        "is not valid yet",
      ["C0:error:0A000086:SSL routines:a:certificate verify failed:../b.c:1889:hostname mismatch"] =
        "is for another host name than mqtthost",
      ["C0:error:0A000086:SSL routines:a:certificate verify failed:../b.c:1889:unable to get local issuer certificate"] =
        "is not signed by a trusted authority: check ca_file",
      ["error:0A000086:SSL routines:a:certificate verify failed:../b.c:1889:"] = "check ca_file",
      ["error:0A00010B:SSL routines:ssl3_get_record:wrong version number:"] =
        "does not speak TLS: use sslport, or tls = false for the plain port (wrong version number)",
      ["error:80000002:system library:file_open:No such file or directory:"] = "cannot be read",
      ["error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:"] =
        "no secure connection to the broker: tlsv1 alert unknown ca",
      ["other words"] = "no secure connection to the broker: other words",
    } do
      local err = refused(text)
      assert.same({ "tls", false }, { err.kind, err.retryable })
      assert.truthy(tostring(err):find(expected, 1, true), tostring(err))
      assert.is_nil(tostring(err):find("error:", 1, true))
    end
  end)
end)
