-- SPDX-License-Identifier: MIT

-- Prints the manual page of the command line, fogcloud(1), from its own parser, and examples and exit codes from its
-- guide, so that none can say more than the other: lua5.4 scripts/manual.lua > docs/fogcloud.1
require("fogcloud.cli.words").english()
local cli = require "fogcloud.cli"

local out = {}
local function add(...) out[#out + 1] = table.concat { ... } end

-- Text for roff: a line must not begin with a dot or a quote, and hyphens are meant as such.
local function roff(text) return (text:gsub("\\", "\\e"):gsub("-", "\\-"):gsub("^([.'])", "\\&%1")) end

local function argument_name(element)
  local name = element._argname or element._name
  return type(name) == "table" and table.concat(name, " ") or tostring(name):upper()
end

local function option_names(option)
  local names = {}
  for _, alias in ipairs(option._aliases) do names[#names + 1] = "\\fB" .. roff(alias) .. "\\fR" end
  table.sort(names, function(a, b) return #a < #b end)
  local takes_value = option._maxargs ~= 0
  return table.concat(names, ", ") .. (takes_value and " \\fI" .. argument_name(option) .. "\\fR" or "")
end

local function describe(parser)
  for _, argument in ipairs(parser._arguments) do
    add(".TP\n\\fI", argument_name(argument), "\\fR\n", roff(argument._description or ""))
  end
  for _, option in ipairs(parser._options) do
    if option._description and option._name ~= "-h" then
      local default = option._default and (" (default: %s)"):format(option._default) or ""
      add(".TP\n", option_names(option), "\n", roff(option._description .. default))
    end
  end
  if parser._epilog then add(".PP\n", roff(parser._epilog)) end
end

local function synopsis(parser, name)
  local parts = {}
  for _, argument in ipairs(parser._arguments) do
    local shown = "\\fI" .. argument_name(argument) .. "\\fR"
    if argument._mincount == 0 or argument._minargs == 0 then shown = "[" .. shown .. "]" end
    parts[#parts + 1] = shown .. (argument._maxargs > 1 and " ..." or "")
  end
  return ("\\fBfogcloud %s\\fR [\\fIoptions\\fR] %s"):format(roff(name), table.concat(parts, " "))
end

local file = assert(io.open "docs/cli.md")
local guide = file:read "*a"
file:close()

-- Without the marks of Markdown.
local function plain(text) return roff((text:gsub("[`*]", ""):gsub("%[([^%]]*)%]%b()", "%1"))) end

local function add_examples()
  add(".SH EXAMPLES\n.nf\n", roff(guide:match "```sh\n(.-)\n```"):gsub("\n([.'])", "\n\\&%1"), "\n.fi")
end

local function add_exit_codes()
  add(".SH EXIT STATUS")
  for code, text in guide:match("## Exit codes\n\n(.-)\n\n"):gmatch "| (%d) | ([^\n]*) |\n?" do
    add(".TP\n", code, "\n", plain(text))
  end
end

local parser = cli.parser()
add(".\\\" Made by scripts/manual.lua from the program's own parser.")
add(".TH FOGCLOUD 1 \"\" \"fogcloud\" \"User Commands\"")
add(".SH NAME\nfogcloud \\- talk to FogCloud, MXCHIP's IoT cloud, and to its devices")
add(".SH SYNOPSIS\n\\fBfogcloud\\fR [\\fIoptions\\fR] \\fIcommand\\fR ...")
add(".SH OPTIONS\nThese are understood before and after every command.")
describe(parser)
add(".SH COMMANDS")
for _, command in ipairs(parser._commands) do
  add(".SS ", roff(command._name), "\n", roff(command._description))
  if #command._commands == 0 then
    add(".PP\n", synopsis(command, command._name))
  end
  describe(command)
  for _, action in ipairs(command._commands) do
    local name = command._name .. " " .. action._name
    add(".PP\n", synopsis(action, name), "\n.br\n", roff(action._description or ""))
    describe(action)
  end
end
add [[
.SH CONFIGURATION
A value is taken from an option, else from the environment, else from the profile. An empty variable counts for nothing.
Secrets are never arguments: \fBlogin\fR asks for them without echo, or reads \fB\-\-secret\-file\fR or
\fBFOGCLOUD_CLIENT_SECRET\fR.
.SH ENVIRONMENT
.TP
\fBFOGCLOUD_BASE_URL\fR, \fBFOGCLOUD_CLIENT_ID\fR, \fBFOGCLOUD_CLIENT_SECRET\fR, \fBFOGCLOUD_APP_ID\fR,
\fBFOGCLOUD_CA_FILE\fR
The API's URL, the Access Key and its secret, the application, and the authorities to trust.
.TP
\fBFOGCLOUD_PROFILE\fR, \fBFOGCLOUD_CLIENT\fR
The profile to use, and the client that is kept here.
.TP
\fBFOGCLOUD_MQTT_PASSWORD\fR
The password at a broker that is named by \fB\-\-host\fR or the like.
.TP
\fBFOGCLOUD_LOG\fR
\fIdebug\fR, \fIinfo\fR, \fIwarn\fR or \fIerror\fR: what the library tells on standard error.
.TP
\fBLC_ALL\fR, \fBLC_MESSAGES\fR, \fBLANG\fR
Where the first of them that is set begins with \fIzh\fR and names UTF\-8, help and notes are in Chinese.
.TP
\fBNO_COLOR\fR
When set and not empty, no colours; nor with \fBTERM\fR=\fIdumb\fR.
.SH FILES
.TP
\fI$XDG_CONFIG_HOME/fogcloud/profiles.json\fR (\fI~/.config\fR)
The profiles, with their secrets, 0600; \fIcurrent\fR beside it names the one in use.
.TP
\fI$XDG_STATE_HOME/fogcloud\fR (\fI~/.local/state\fR)
Kept tokens, and the clients that were made, with their passwords (\fIclients.json\fR), 0600.]]
add_exit_codes()
add_examples()
add(".SH SEE ALSO\n.BR mosquitto_sub (1),\n.BR mosquitto_pub (1),\n.BR mosquitto (8)")
print(table.concat(out, "\n"))
