-- SPDX-License-Identifier: MIT

-- Prints the sandbox's APIs as an OpenAPI document: lua5.4 scripts/openapi.lua > docs/openapi.json
io.write(require("fogcloud.sandbox.json").pretty(require("fogcloud.sandbox.openapi").document()))
