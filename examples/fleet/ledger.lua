-- SPDX-License-Identifier: MIT

--- What the workers of the demonstration have noted, and what follows from it. Pure, but for reading the file.
local ledger = {}

--- The entries in the order of time: { at, what, slot, fence, device, number }.
---@param path string
---@return table[]
function ledger.read(path)
  local book, file = {}, io.open(path)
  if file == nil then return book end
  for line in file:lines() do
    local at, what, slot, fence, rest = line:match "^(%S+) (%a+) (%d+) (%d+) (.*)$"
    if at then
      local device, number = rest:match "^(%S+) (%d+)$"
      book[#book + 1] = {
        at = tonumber(at), what = what, slot = tonumber(slot), fence = tonumber(fence), device = device,
        number = tonumber(number), place = #book,
      }
    end
  end
  file:close()
  table.sort(book, function(a, b)
    if a.at ~= b.at then return a.at < b.at end
    return a.place < b.place
  end)
  return book
end

--- How many slots have been taken so far.
function ledger.taken(book)
  local slots, n = {}, 0
  for _, entry in ipairs(book) do
    if entry.what == "took" and not slots[entry.slot] then slots[entry.slot], n = true, n + 1 end
  end
  return n
end

-- Those entries that count, and how many do not: a slot's fence only grows, so one who comes with a smaller one comes
-- late.
local function accepted(book)
  local list, highest, refused = {}, {}, 0
  for _, entry in ipairs(book) do
    if entry.fence < (highest[entry.slot] or 0) then
      if entry.what == "handled" then refused = refused + 1 end
    else
      highest[entry.slot] = entry.fence
      list[#list + 1] = entry
    end
  end
  return list, refused
end

--- How many messages of those that were sent nobody has handled in time.
---@param book table[]
---@param sent table<string, integer>  the last number of each device
function ledger.missing(book, sent)
  local seen, missing = {}, 0
  for _, entry in ipairs((accepted(book))) do
    if entry.what == "handled" then seen[entry.device .. " " .. entry.number] = true end
  end
  for device, last in pairs(sent) do
    for number = 1, last do
      if not seen[device .. " " .. number] then missing = missing + 1 end
    end
  end
  return missing
end

-- Messages of a device that came before one that was sent earlier.
local function disorder(list)
  local last, n = {}, 0
  for _, entry in ipairs(list) do
    if entry.what == "handled" then
      local expected = (last[entry.device] or 0) + 1
      if entry.number > expected then n = n + 1 end
      last[entry.device] = math.max(last[entry.device] or 0, entry.number)
    end
  end
  return n
end

-- After each event: how many slots were taken, and how long the last of them took.
local function changes(book, events)
  for i, event in ipairs(events) do
    local ends = event.ends or events[i + 1] and events[i + 1].at or math.huge
    event.taken, event.longest = 0, 0
    for _, entry in ipairs(book) do
      if entry.what == "took" and entry.at > event.at and entry.at < ends then
        event.taken, event.longest = event.taken + 1, entry.at - event.at
      end
    end
  end
  return events
end

--- All figures.
---@param book table[]
---@param sent table<string, integer>
---@param events table[]  { at, text }
---@return table
function ledger.report(book, sent, events)
  local list, refused = accepted(book)
  local seen, twice, total, handled = {}, 0, 0, 0
  for _, last in pairs(sent) do total = total + last end
  for _, entry in ipairs(list) do
    if entry.what == "handled" then
      local key = entry.device .. " " .. entry.number
      if seen[key] then twice = twice + 1 else handled = handled + 1 end
      seen[key] = true
    end
  end
  return {
    sent = total, handled = handled, missing = ledger.missing(book, sent), twice = twice, refused = refused,
    disorder = disorder(list), events = changes(book, events),
  }
end

--- Prints them; true when nothing was lost and all was in order.
function ledger.print(report)
  print(("\nsent %d, handled %d, missing %d, handled twice %d, out of order %d"):format(report.sent, report.handled,
    report.missing, report.twice, report.disorder))
  print(("refused from workers whose time was over: %d; token requests: %d"):format(report.refused, report.tokens))
  for _, event in ipairs(report.events) do
    print(("%-70s %2d slots taken, the last after %.1f s"):format(event.text, event.taken, event.longest))
  end
  return report.missing == 0 and report.disorder == 0
end

return ledger
