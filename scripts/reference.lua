-- SPDX-License-Identifier: MIT

-- Writes the reference from the LuaCATS annotations, `lua5.4 scripts/reference.lua`: docs/reference.md, which is its
-- index, and a page for each module in docs/reference/. Also a module for spec/support/documented.lua. What is marked
-- @package is the library's own and left out.
local reference = {}

-- A page for each module: its name, what is there, and its chapters. A chapter: its title, the file, and how a
-- function's table is spelt in the file and by users.
reference.PAGES = {
  { "fogcloud", "what `require \"fogcloud\"` gives: clouds, sessions, tasks, hosts, the log",
    { "fogcloud", "lua/fogcloud/init.lua", fogcloud = "fogcloud" } },
  { "cloud", "an account: the calls of the API, kept clients, `open`, counters",
    { "Options of fogcloud.new", "lua/fogcloud/config.lua" },
    { "Cloud", "lua/fogcloud/api/cloud.lua", Cloud = "cloud" },
    { "Options of open", "lua/fogcloud/api/open.lua" },
    { "Options of bulk calls", "lua/fogcloud/api/bulk.lua" },
    { "Counters of calls", "lua/fogcloud/api/call.lua", only = { "fogcloud.CallCounters" } } },
  { "session", "an MQTT session: subscribe, publish, notices, counters, all options",
    { "Session", "lua/fogcloud/mqtt/session.lua", Session = "session" },
    { "Options of a session", "lua/fogcloud/mqtt/options.lua" } },
  { "device", "one device of a session: channels with JSON values",
    { "Device", "lua/fogcloud/mqtt/device.lua", Device = "device" } },
  { "task", "what `fogcloud.spawn` gives",
    { "Task", "lua/fogcloud/task/task.lua", Task = "task" } },
  { "leader", "what `fogcloud.lead` gives: one session for many workers",
    { "Leader", "lua/fogcloud/store/lead.lua", Leader = "leader" } },
  { "fleet", "what `fogcloud.fleet` takes and gives: workers that share an application's devices",
    { "Fleet", "lua/fogcloud/fleet/init.lua", Fleet = "fleet" },
    { "A slot", "lua/fogcloud/fleet/slot.lua", only = { "fogcloud.fleet.Slot", "fogcloud.fleet.SlotStats" } } },
  { "errors", "what calls return beside nil",
    { "Errors", "lua/fogcloud/errors.lua", only = { "fogcloud.Error", "fogcloud.ErrorKind" } } },
  { "tables", "credentials, messages, MQTT 5 properties and other tables that calls take and give",
    { "Tables that calls take and give", "lua/fogcloud/_meta.lua", until_line = "The C half" } },
  { "journal", "journals on disk: who has one, what is in it",
    { "fogcloud.journal", "lua/fogcloud/journal.lua", journal = "journal", Journal = "opened" } },
  { "metrics", "counters as text for Prometheus",
    { "fogcloud.metrics", "lua/fogcloud/metrics.lua", metrics = "metrics" } },
  { "service", "words to a service manager: ready, alive, ending",
    { "fogcloud.service", "lua/fogcloud/service.lua", service = "service" } },
  { "sandbox", "a cloud of your own from Lua: faults, devices, the clock",
    { "fogcloud.sandbox", "lua/fogcloud/sandbox/init.lua", Sandbox = "sandbox" } },
}

--- All chapters, in the order of the pages.
reference.CHAPTERS = {}
for _, page in ipairs(reference.PAGES) do
  for i = 3, #page do reference.CHAPTERS[#reference.CHAPTERS + 1] = page[i] end
end

-- Reading -----------------------------------------------------------------------------------------------------------

-- The type at the beginning of a text, which ends at the first blank outside of brackets, and what follows.
local function split_type(text)
  local depth, at = 0, 1
  while at <= #text do
    local c = text:sub(at, at)
    if c:find "[%(%[{<]" then depth = depth + 1 end
    if c:find "[%)%]}>]" then depth = depth - 1 end
    if c == " " and depth == 0 and text:sub(at - 1, at - 1) ~= ":" then break end
    at = at + 1
  end
  return text:sub(1, at - 1), text:sub(at)
end

local TAGS = {}

function TAGS.param(doc, rest)
  local name, typed = rest:match "^(%S+) (.*)$"
  local kind, text = split_type(typed or error("no type: " .. rest))
  doc.params[#doc.params + 1] = { name = name, type = kind, text = text }
  return doc.params[#doc.params]
end

function TAGS.field(doc, rest)
  local entry = TAGS.param({ params = {} }, rest)
  doc.fields[#doc.fields + 1] = entry
  return entry
end

TAGS["return"] = function(doc, rest)
  local kind, text = split_type(rest)
  local name, more = text:match "^ ([%w_.]+)(.*)$"
  doc.returns[#doc.returns + 1] = { name = name, type = kind, text = more or text }
  return doc.returns[#doc.returns]
end

function TAGS.class(doc, rest)
  doc.class, doc.parent = rest:gsub("^%(exact%) ", ""):match "^([%w_.]+)%s*:?%s*([%w_.]*)"
  return nil
end

function TAGS.alias(doc, rest)
  doc.class = rest:match "^(%S+)"
  doc.alias = { text = rest:match "^%S+ (.*)$" or "" }
  return doc.alias
end

function TAGS.package(doc) doc.package = true end
function TAGS.meta() end

local function new_doc() return { text = {}, params = {}, fields = {}, returns = {} } end

-- One line of a block; `last` is what a continued line belongs to.
local function read_line(doc, line, last)
  local tag, rest = line:match "^%-%-%-@(%w+) ?(.*)$"
  if tag then return (TAGS[tag] or error("unknown tag @" .. tag))(doc, rest) end
  local more = line:match "^%-%-%-|(.*)$" or last and line:match "^%-%-%-%s%s+(%S.*)$"
  if more and last then
    last.text = last.text .. (line:find "^%-%-%-|" and "|" or " ") .. more
    return last
  end
  doc.text[#doc.text + 1] = line:match "^%-%-%- ?(.*)$"
  return nil
end

--- The documented classes and functions of a file's text, in order: lists of { text, class | target, ... }.
function reference.read(text, until_line)
  local found, doc, last = {}, nil, nil
  for line in text:gmatch "([^\n]*)\n" do
    if until_line and line:find(until_line, 1, true) then break end
    if line:find "^%-%-%-" then
      doc = doc or new_doc()
      last = read_line(doc, line, last)
    else
      local target, separator, name, args = line:match "^function ([%w_]+)([.:])([%w_]+)(%b())"
      if target then
        doc = doc or new_doc()
        doc.target, doc.separator, doc.name, doc.args, doc.found = target, separator, name, args, true
      end
      if doc and (doc.class or target) then found[#found + 1] = doc end
      doc, last = nil, nil
    end
  end
  return found
end

-- Writing -----------------------------------------------------------------------------------------------------------

local function cell(text) return (text:gsub("^%s+", ""):gsub("|", "\\|")) end

local function code(text) return "`" .. text:gsub("|", "\\|") .. "`" end

local function table_of(out, heading, list)
  if #list == 0 then return end
  out[#out + 1] = ("| %s | type | |\n|---|---|---|"):format(heading)
  for _, entry in ipairs(list) do
    out[#out + 1] = ("| %s | %s | %s |"):format(code(entry.name), code(entry.type), cell(entry.text))
  end
  out[#out + 1] = ""
end

local function write_text(out, doc)
  if #doc.text == 0 then return end
  out[#out + 1] = table.concat(doc.text, "\n")
  out[#out + 1] = ""
end

local function write_returns(out, doc)
  for _, entry in ipairs(doc.returns) do
    local name = entry.name and (" `%s`"):format(entry.name) or ""
    local text = entry.text:gsub("^%s+", "")
    out[#out + 1] = ("- returns%s: `%s`%s"):format(name, entry.type, text ~= "" and ", " .. text or "")
  end
  if #doc.returns > 0 then out[#out + 1] = "" end
end

local function write_class(out, doc)
  if doc.alias then
    out[#out + 1] = ("### %s\n\n%s\n"):format(doc.class, "`" .. doc.alias.text:gsub('"', "") .. "`")
    return
  end
  if #doc.fields == 0 then return write_text(out, doc) end
  out[#out + 1] = ("### %s\n"):format(doc.class)
  write_text(out, doc)
  if doc.parent ~= "" then out[#out + 1] = ("All fields of %s, and:\n"):format(doc.parent) end
  table_of(out, "field", doc.fields)
end

local function write_function(out, doc, user)
  out[#out + 1] = ("### `%s%s%s%s`\n"):format(user, doc.separator, doc.name, doc.args)
  write_text(out, doc)
  table_of(out, "argument", doc.params)
  write_returns(out, doc)
end

local function wanted(chapter, doc)
  if doc.package then return false end
  if doc.target then return chapter[doc.target] ~= nil end
  if chapter.only == nil then return true end
  for _, name in ipairs(chapter.only) do
    if name == doc.class then return true end
  end
  return false
end

--- What a chapter shows, in the order of its file.
function reference.chapter(chapter)
  local file = assert(io.open(chapter[2]))
  local text = file:read "*a"
  file:close()
  local list = {}
  for _, doc in ipairs(reference.read(text, chapter.until_line)) do
    if wanted(chapter, doc) then list[#list + 1] = doc end
  end
  return list
end

local function finished(out) return (table.concat(out, "\n"):gsub("\n\n\n+", "\n\n"):gsub("\n*$", "\n")) end

local MADE = "Made from the sources by `scripts/reference.lua` (`make docs`); do not edit."

--- The page of a module.
---@param page table  of PAGES
---@return string
function reference.page(page)
  local out = {
    ("# Reference: %s\n"):format(page[1]),
    ("%s. %s [All modules](../reference.md).\n"):format((page[2]:gsub("^%l", string.upper)), MADE),
  }
  for i = 3, #page do
    if #page > 3 then out[#out + 1] = ("## %s\n"):format(page[i][1]) end
    for _, doc in ipairs(reference.chapter(page[i])) do
      if doc.target then
        write_function(out, doc, page[i][doc.target])
      else
        write_class(out, doc)
      end
    end
  end
  return finished(out)
end

-- The anchor that a heading makes on the usual hosts.
local function anchor(heading) return (heading:lower():gsub("[^%w%s_\128-\255-]", ""):gsub(" ", "-")) end

-- What a chapter has, each with a link.
local function entries(page, chapter)
  local links = {}
  for _, doc in ipairs(reference.chapter(chapter)) do
    local heading, shown
    if doc.target then
      heading = ("`%s%s%s%s`"):format(chapter[doc.target], doc.separator, doc.name, doc.args)
      shown = ("`%s%s%s`"):format(chapter[doc.target], doc.separator, doc.name)
    elseif doc.alias or #doc.fields > 0 then
      heading, shown = doc.class, ("`%s`"):format(doc.class)
    end
    if heading then links[#links + 1] = ("[%s](reference/%s.md#%s)"):format(shown, page[1], anchor(heading)) end
  end
  return table.concat(links, ", ")
end

--- The index.
---@return string
function reference.index()
  local out = {
    "# Reference\n", MADE,
    "A type that ends in `?` may be nil. Wrong use raises, and the error names the argument. What can fail at run time",
    "returns nil and a [fogcloud.Error](reference/errors.md).\n", "| page | has |\n|---|---|",
  }
  for _, page in ipairs(reference.PAGES) do
    out[#out + 1] = ("| [%s](reference/%s.md) | %s |"):format(page[1], page[1], page[2])
  end
  out[#out + 1] = ""
  for _, page in ipairs(reference.PAGES) do
    for i = 3, #page do out[#out + 1] = ("## %s\n\n%s\n"):format(page[i][1], entries(page, page[i])) end
  end
  return finished(out)
end

--- All files, by path.
---@return table<string, string>
function reference.files()
  local files = { ["docs/reference.md"] = reference.index() }
  for _, page in ipairs(reference.PAGES) do files[("docs/reference/%s.md"):format(page[1])] = reference.page(page) end
  return files
end

if arg and arg[0]:find "reference%.lua$" then
  os.execute "mkdir -p docs/reference"
  for path, text in pairs(reference.files()) do
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
  end
end

return reference
