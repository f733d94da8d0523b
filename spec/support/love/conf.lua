-- SPDX-License-Identifier: MIT

dofile "examples/love/conf.lua"
