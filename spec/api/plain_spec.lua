-- SPDX-License-Identifier: MIT
-- The short way through a reply (src/binding/plain.c) takes what the long way takes, to the same data, or leaves it.

local core = require "fogcloud.core"
local data = require "fogcloud.api.data"
local envelope = require "fogcloud.api.envelope"

local META = '{"meta":{"message":"ok","code":0},"data":'

local PLAIN = {
  META .. '{"client_id":"abc","device_id":"dev1"}}',
  META .. '[{"productid":"p1","pname":"\231\148\181"},{"pname":"","productid":"q"}]}',
  META .. '{"a":["b",[],{}],"c":{"d":{"e":"f"}}}}',
  ' {\t"data" : { "x" : "" , "x" : "y" } ,\r\n"meta" : { "code" : 0 } } ',
}

-- What the long way makes of a body; nil unless it is an envelope of code 0 with data that is a table.
local function long_way(body, endpoint)
  local ok, value = data.read(body, endpoint)
  if not ok or type(value) ~= "table" or type(value.meta) ~= "table" or value.meta.code ~= 0 then return nil end
  return type(value.data) == "table" and value.data or nil
end

local function is_same(body, endpoint)
  local plain = core.plain_data(body)
  if plain ~= nil then assert.same(long_way(body, endpoint), plain, body) end
  return plain ~= nil
end

describe("a plain reply", function()
  it("is read at once, as it would be the long way", function()
    for _, body in ipairs(PLAIN) do assert.is_true(is_same(body), body) end
    assert.same({ client_id = "abc", device_id = "dev1" }, envelope.open({ status = 200, body = PLAIN[1] }, "grant"))
  end)

  it("is one that leaves no question", function()
    local odd = {
      "", "{}", "[]", '"x"', "null", "\239\187\191" .. PLAIN[1], PLAIN[1] .. "x", PLAIN[1] .. "{}", PLAIN[1]:sub(1, -2),
      META .. '{"a":1}}', META .. '{"a":null}}', META .. '{"a":true}}', META .. '{"a":"\\u7535"}}', META .. '{"a":"\\""}}',
      META .. '{"a":"\n"}}', META .. '{"a":"b",}}', META .. '{"a"}}', META .. '{a:"b"}}', META .. '{"a":"b"]}',
      META .. '["a",]}', META .. "null}", META .. '"text"}', META .. '{},"data":{}}', META .. '{},"meta":{"code":0}}',
      META .. '{},"more":"x"}', META .. "[[[[[]]]]]}", '{"data":{}}', '{"meta":{"code":0}}', '{"meta":{},"data":{}}',
    }
    for _, code in ipairs { "1", "00", "0.0", "0e1", "-0", '"0"', "null", '0,"code":10000', '10000,"code":0', '0,"x":{}' } do
      odd[#odd + 1] = ('{"meta":{"code":%s},"data":{}}'):format(code)
    end
    for _, body in ipairs(odd) do assert.is_nil(core.plain_data(body), body) end
    assert.has_error(function() core.plain_data() end)
  end)

  it("is the same wherever a byte is lost, changed or comes in between", function()
    local taken = 0
    for _, body in ipairs(PLAIN) do
      for at = 1, #body + 1 do
        local before, after = body:sub(1, at - 1), body:sub(at + 1)
        taken = taken + (is_same(before .. after) and 1 or 0)
        for byte in ('"\\{}[]:,0 1n\0\31\127\255'):gmatch(".") do
          taken = taken + (is_same(before .. byte .. after) and 1 or 0)
          taken = taken + (is_same(before .. byte .. body:sub(at)) and 1 or 0)
        end
      end
    end
    assert.is_true(taken > 1000, taken) -- bytes in texts and blanks between them
  end)
end)
