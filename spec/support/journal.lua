-- SPDX-License-Identifier: MIT

--- Journals that no session has made; spec/support/journal_maker.c says what is in them.
local support = require "spec.support.sandbox"

local journals = {}

local maker

-- A folder with the program, which is made once.
local function folder()
  if maker then return maker end
  maker = support.shell("mktemp -d"):match "%S+"
  local said, code = support.shell(("gcc -std=c11 -D_GNU_SOURCE -pthread -o %s/maker spec/support/journal_maker.c "
    .. "$(ls src/durable/*.c | grep -v binding) -lsqlite3"):format(maker))
  assert(code == 0, said)
  return maker
end

--- A path in a folder of its own.
function journals.path() return support.shell("mktemp -d " .. folder() .. "/XXXXXX"):match "%S+" .. "/journal" end

--- A journal with so many messages.
function journals.make(count)
  local path = journals.path()
  local said, code = support.shell(("%s/maker %s %d"):format(folder(), path, count))
  assert(code == 0, said)
  return path
end

--- All of it goes.
function journals.clean()
  if maker then support.shell("rm -rf " .. maker) end
  maker = nil
end

return journals
