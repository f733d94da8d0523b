-- SPDX-License-Identifier: MIT

--- The documentation as data: its pages, their fenced blocks, headings and links.
local pages = {}

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end
pages.read = read

--- All pages, by path.
function pages.list()
  local list = { "README.md", "CONTRIBUTING.md" }
  local pipe = assert(io.popen "ls docs/*.md docs/reference/*.md docs/zh/*.md 2>/dev/null")
  for path in pipe:lines() do list[#list + 1] = path end
  pipe:close()
  return list
end

--- The fenced blocks of a page: { language, text, line, last, marker, reason }. A marker is an HTML comment in the
--- line before: `<!-- not run: reason -->`, `<!-- run -->`.
function pages.blocks(path)
  local blocks, block, n, before = {}, nil, 0, ""
  for line in (read(path) .. "\n"):gmatch "([^\n]*)\n" do
    n = n + 1
    local indent, language = line:match "^(%s*)```(.*)$"
    if language and block == nil then
      local marker, reason = before:match "^<!%-%- (%l[%l ]*%l):? ?(.-) ?%-%->$"
      block = { language = language, line = n, lines = {}, marker = marker, reason = reason, indent = #indent }
    elseif language then
      block.text, block.last = table.concat(block.lines, "\n") .. "\n", n
      blocks[#blocks + 1] = block
      block = nil
    elseif block then
      block.lines[#block.lines + 1] = line:sub(block.indent + 1)
    elseif line ~= "" then
      before = line
    end
    if block == nil and language then before = "" end
  end
  assert(block == nil, path .. ": a block has no end")
  return blocks
end

--- The page's text without its fenced blocks.
function pages.prose(path)
  local out, inside = {}, false
  for line in (read(path) .. "\n"):gmatch "([^\n]*)\n" do
    if line:find "^%s*```" then
      inside = not inside
    elseif not inside then
      out[#out + 1] = line
    end
  end
  return table.concat(out, "\n") .. "\n"
end

--- The anchors that a page's headings make on the usual hosts.
function pages.anchors(path)
  local anchors = {}
  for heading in ("\n" .. pages.prose(path)):gmatch "\n#+ ([^\n]+)" do
    anchors[heading:lower():gsub("[^%w%s_\128-\255-]", ""):gsub(" ", "-")] = true
  end
  return anchors
end

return pages
