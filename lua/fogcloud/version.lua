-- SPDX-License-Identifier: MIT

--- The version of the library.
return "0.2.0"
