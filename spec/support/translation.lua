-- SPDX-License-Identifier: MIT

--- Pages in two languages: each section of the Chinese one carries a checksum of the English section that it says, in
--- the line before its heading: `<!-- en: 1a2b3c4d -->`.
local translation = {}

--- The English page and the Chinese one.
translation.PAGES = {
  { "README.md", "docs/zh/README.md" },
  { "docs/guide-first-steps.md", "docs/zh/guide-first-steps.md" },
  { "docs/guide-sessions.md", "docs/zh/guide-sessions.md" },
  { "docs/cli.md", "docs/zh/cli.md" },
  { "docs/sandbox.md", "docs/zh/sandbox.md" },
  { "docs/troubleshooting.md", "docs/zh/troubleshooting.md" },
}

local function checksum(text)
  local a, b = 1, 0
  for i = 1, #text do
    a = (a + text:byte(i)) % 65521
    b = (b + a) % 65521
  end
  return ("%04x%04x"):format(b, a)
end

--- The sections of a page: { heading, level, text, sum, said }. `sum` is the checksum of the section, `said` the one
--- that stands before its heading.
function translation.sections(path)
  local file = assert(io.open(path))
  local list, inside, said = {}, false, nil
  for line in (file:read "*a" .. "\n"):gmatch "([^\n]*)\n" do
    if line:find "^%s*```" then inside = not inside end
    local marks = not inside and line:match "^(#+) "
    local mark = not inside and line:match "^<!%-%- en: (%x+) %-%->$"
    if marks then
      list[#list + 1] = { heading = line, level = #marks, lines = {}, said = said }
      said = nil
    elseif mark then
      said = mark
    elseif #list > 0 then
      table.insert(list[#list].lines, line)
    end
  end
  file:close()
  for _, section in ipairs(list) do
    section.text = table.concat(section.lines, "\n"):gsub("%s+$", "")
    section.sum = checksum(section.heading .. "\n" .. section.text)
  end
  return list
end

--- The words in `code` of a section's prose, each once.
function translation.words(section)
  local prose, inside = {}, false
  for line in (section.heading .. "\n" .. section.text .. "\n"):gmatch "([^\n]*)\n" do
    if line:find "^%s*```" then inside = not inside elseif not inside then prose[#prose + 1] = line end
  end
  local words = {}
  for word in table.concat(prose, "\n"):gmatch "`([^`]+)`" do words[word:gsub("%s+", " ")] = true end
  return words
end

return translation
