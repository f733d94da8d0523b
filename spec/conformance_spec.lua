-- SPDX-License-Identifier: MIT

-- docs/conformance.md against the specifications' numbers and against the tests that it names.

local function read(path)
  local file = io.open(path)
  local text = file and file:read("*a")
  if file then file:close() end
  return text
end

local PAGE = assert(read("docs/conformance.md"))

-- How many statements each section has; where the numbers do not begin with 1, the first one too. The list of the
-- specification's own appendix; 3.8.3-4 of 3.1.1 is printed there as MQTT-3-8.3-4.
local SECTIONS = {
  ["3.1.1"] = {
    ["1.5.3"] = 3, ["2.2.2"] = 2, ["2.3.1"] = 7, ["3.1.0"] = 2, ["3.1.2"] = 24, ["3.1.3"] = 11, ["3.1.4"] = 5,
    ["3.2.0"] = 1, ["3.2.2"] = 6, ["3.3.1"] = 12, ["3.3.2"] = 3, ["3.3.4"] = 1, ["3.3.5"] = 2, ["3.6.1"] = 1,
    ["3.8.1"] = 1, ["3.8.3"] = 4, ["3.8.4"] = 6, ["3.9.3"] = 2, ["3.10.1"] = 1, ["3.10.3"] = 2, ["3.10.4"] = 6,
    ["3.12.4"] = 1, ["3.14.1"] = 1, ["3.14.4"] = 3, ["4.1.0"] = 2, ["4.3.1"] = 1, ["4.3.2"] = 2, ["4.3.3"] = 2,
    ["4.4.0"] = 1, ["4.5.0"] = 2, ["4.6.0"] = 6, ["4.7.1"] = 3, ["4.7.2"] = 1, ["4.7.3"] = 4, ["4.8.0"] = 2,
    ["6.0.0"] = 4, ["7.0.0"] = 2, ["7.1.1"] = 1, ["7.1.2"] = 1,
  },
  ["5.0"] = {
    ["1.5.4"] = 3, ["1.5.5"] = 1, ["1.5.7"] = 1, ["2.1.3"] = 1, ["2.2.1"] = { 2, 6 }, ["2.2.2"] = 1, ["3.1.0"] = 2,
    ["3.1.2"] = 30, ["3.1.3"] = 12, ["3.1.4"] = 6, ["3.2.0"] = 2, ["3.2.2"] = 22, ["3.3.1"] = 13, ["3.3.2"] = 20,
    ["3.3.4"] = 10, ["3.4.2"] = 3, ["3.5.2"] = 3, ["3.6.1"] = 1, ["3.6.2"] = 3, ["3.7.2"] = 3, ["3.8.1"] = 1,
    ["3.8.3"] = 5, ["3.8.4"] = 8, ["3.9.2"] = 2, ["3.9.3"] = 2, ["3.10.1"] = 1, ["3.10.3"] = 2, ["3.10.4"] = 6,
    ["3.11.2"] = 2, ["3.11.3"] = 2, ["3.12.4"] = 1, ["3.14.0"] = 1, ["3.14.1"] = 1, ["3.14.2"] = 4, ["3.14.4"] = 3,
    ["3.15.1"] = 1, ["3.15.2"] = 3, ["4.1.0"] = 2, ["4.2"] = 1, ["4.3.1"] = 1, ["4.3.2"] = 5, ["4.3.3"] = 13,
    ["4.4.0"] = 2, ["4.5.0"] = 2, ["4.6.0"] = 6, ["4.7.0"] = 1, ["4.7.1"] = 2, ["4.7.2"] = 1, ["4.7.3"] = 4,
    ["4.8.2"] = 6, ["4.9.0"] = 3, ["4.12.0"] = 7, ["4.12.1"] = 2, ["4.13.1"] = 1, ["4.13.2"] = 1, ["6.0.0"] = 4,
  },
}

-- { { number, asks, shown by }, ... } and { number, ... } of what binds a server alone.
local function read_version(version)
  local from, to = PAGE:find("\n## MQTT " .. version .. "\n", 1, true)
  assert(from, "no section of " .. version)
  local text = PAGE:sub(to + 1, (PAGE:find("\n## ", to, true) or #PAGE + 1) - 1)
  local rows, servers = {}, {}
  for number, asks, shown in text:gmatch("\n| ([%d.]+%-%d+) | ([^\n]-) | ([^\n]-) |%f[\n]") do
    rows[#rows + 1] = { number, asks, shown }
  end
  for number in assert(text:match("A server's alone:(.*)$")):gmatch("[%d.]+%-%d+") do servers[#servers + 1] = number end
  return rows, servers
end

local FILES = {}
for name, file in PAGE:gmatch("\n| `([%w_]+)` | `(spec/[%w_/]+%.%w+)` |") do FILES[name] = file end

-- What runs it: a spec and a test in C run by themselves, a header is in a test.
local function is_run(file)
  if file:find("_spec%.lua$") or file:find("^spec/c/.*_test%.c$") then return true end
  local header = file:match("^spec/c/([%w_]+%.h)$")
  local pipe = io.popen("ls spec/c/*_test.c")
  local found = false
  for test in pipe:lines() do
    found = found or (header and read(test):find('#include "' .. header .. '"', 1, true) ~= nil)
  end
  pipe:close()
  return found
end

-- Calls fn(short name, test) for each test that a cell names; returns how many, and the cell without them.
local function each_test(shown, fn)
  local count = 0
  local rest = shown:gsub("`([%w_]+)` ([^`]+)", function(name, tests)
    return (tests:gsub('"([^"]+)"', function(test)
      count = count + 1
      fn(name, test)
      return ""
    end))
  end)
  return count, (rest:gsub("[,; ]", ""))
end

describe("docs/conformance.md", function()
  for version, sections in pairs(SECTIONS) do
    local rows, servers = read_version(version)

    it("has every statement of MQTT " .. version .. " once, and no other", function()
      local seen = {}
      for _, row in ipairs(rows) do seen[row[1]] = (seen[row[1]] or 0) + 1 end
      for _, number in ipairs(servers) do seen[number] = (seen[number] or 0) + 1 end
      for section, count in pairs(sections) do
        local first, last = 1, count
        if type(count) == "table" then first, last = count[1], count[2] end
        for i = first, last do
          local number = ("%s-%d"):format(section, i)
          assert(seen[number] == 1, ("%s stands there %d times"):format(number, seen[number] or 0))
          seen[number] = nil
        end
      end
      assert.is_nil(next(seen))
    end)

    it("names tests that exist and are run, for MQTT " .. version, function()
      for _, row in ipairs(rows) do
        local number, shown = row[1], row[3]
        if shown ~= "open" and not shown:find("^cannot arise: %S") then
          local count, rest = each_test(shown, function(name, test)
            local file = assert(FILES[name], ("%s: what is `%s`?"):format(number, name))
            local text = assert(read(file), file .. " is not there")
            assert(text:find('"' .. test .. '"', 1, true), ("%s: no test \"%s\" in %s"):format(number, test, file))
          end)
          assert(count > 0 and rest == "", ("%s: not understood: %s"):format(number, shown))
        end
      end
    end)

    it("counts right what MQTT " .. version .. " asks for", function()
      local shown, impossible, open = 0, 0, 0
      for _, row in ipairs(rows) do
        if row[3] == "open" then
          open = open + 1
        elseif row[3]:find("^cannot arise") then
          impossible = impossible + 1
        else
          shown = shown + 1
        end
      end
      local line = ("| %s | %d | %d | %d | %d |"):format(version, #rows, shown, impossible, open)
      assert(PAGE:find(line, 1, true), "the line of the counts should be: " .. line)
    end)
  end

  it("has in its list of files those that run, and each is used", function()
    local used = {}
    each_test(PAGE, function(name) used[name] = true end)
    for name, file in pairs(FILES) do
      assert(used[name], name .. " is not used")
      assert(is_run(file), file .. " is run by nothing")
    end
  end)
end)
