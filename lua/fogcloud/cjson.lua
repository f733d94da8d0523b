-- SPDX-License-Identifier: MIT

--- Where cjson comes from: the one that the program has. An archive of `make embed CJSON_DIR=…` has one of its own
--- under this name.
return require "cjson"
