std = "max"
max_line_length = 120
files["spec"] = { std = "+busted" }
files["examples/love"] = { globals = { "love" } }
read_globals = { "ngx", "vim" }
