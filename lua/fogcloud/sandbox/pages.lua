-- SPDX-License-Identifier: MIT

--- The console's files, as they lie beside this module. They need nothing from elsewhere, and may not use it: by the
--- policy that goes with them a page of theirs loads from and sends to this sandbox alone, and nobody frames it.
local pages = {}

local POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
  .. "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

--- Of every page.
pages.HEADERS = {
  "Content-Security-Policy: " .. POLICY, "X-Content-Type-Options: nosniff", "X-Frame-Options: DENY",
  "Referrer-Policy: no-referrer", "Cross-Origin-Opener-Policy: same-origin",
  "Cross-Origin-Resource-Policy: same-origin", "Cache-Control: no-store",
}

local SCRIPT, STYLE = "text/javascript; charset=utf-8", "text/css; charset=utf-8"

--- By path: the file and its media type.
pages.FILES = {
  ["/"] = { "index.html", "text/html; charset=utf-8" },
  ["/console/style.css"] = { "style.css", STYLE },
  ["/console/icon.svg"] = { "icon.svg", "image/svg+xml" },
}

for _, name in ipairs {
  "app", "clients", "clock", "devices", "dom", "faults", "i18n", "messages", "overview", "requests", "store",
  "timeline", "words",
} do
  pages.FILES[("/console/%s.js"):format(name)] = { name .. ".js", SCRIPT }
end

local read = {}

local function open(name)
  for template in package.path:gmatch("[^;]+") do
    local file = io.open((template:gsub("%?.*$", "fogcloud/sandbox/console/" .. name)), "rb")
    if file then return file end
  end
  error(("the console's file '%s' is not installed"):format(name), 0)
end

--- The page at a path: { text, media }; nil when there is none.
function pages.find(path)
  local one = pages.FILES[path]
  if one == nil or read[path] then return read[path] end
  local file = open(one[1])
  read[path] = { text = file:read("*a"), media = one[2] }
  file:close()
  return read[path]
end

return pages
