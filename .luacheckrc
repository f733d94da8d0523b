std = "max"
max_line_length = 120
files["spec"] = { std = "+busted", max_line_length = 140 } -- rows of tables
files["examples/love"] = { globals = { "love" } }
files["spec/support/love"] = { globals = { "love" } }
read_globals = { "ngx", "vim" }
files["examples/openresty"] = { globals = { "ngx" } }
