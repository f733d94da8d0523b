-- SPDX-License-Identifier: MIT

-- Run by LuaJIT, whatever Lua the spec runs on: reads a filter and a topic per pair of lines, and prints for each pair
-- what libmosquitto thinks of it: 1 it matches, 0 it does not, then whether filter and topic are valid (1 or 0 each).
local ffi = require "ffi"

ffi.cdef [[
int mosquitto_topic_matches_sub(const char *sub, const char *topic, bool *result);
int mosquitto_sub_topic_check(const char *topic);
int mosquitto_pub_topic_check(const char *topic);
]]

local mosquitto = ffi.load("libmosquitto.so.1")
local result = ffi.new("bool[1]")

for filter in io.lines() do
  local topic = io.read("*l")
  local code = mosquitto.mosquitto_topic_matches_sub(filter, topic, result)
  local valid_filter = mosquitto.mosquitto_sub_topic_check(filter) == 0
  local valid_topic = mosquitto.mosquitto_pub_topic_check(topic) == 0
  print((code == 0 and result[0]) and 1 or 0, valid_filter and 1 or 0, valid_topic and 1 or 0)
end
