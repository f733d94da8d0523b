#!/bin/sh
# SPDX-License-Identifier: MIT
# nginx with HTTP/2 over TLS and the replies of httpd.c; prints its port once it listens there. http2.sh BUILD_DIR
dir=$(realpath "$1")
port=$(lua5.4 -e 'local _, port = require("socket").bind("127.0.0.1", 0):getsockname() print(port)')
cat >"$dir/http2.conf" <<END
daemon off;
worker_processes 1;
error_log stderr crit;
pid $dir/http2.pid;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path $dir; proxy_temp_path $dir; fastcgi_temp_path $dir; uwsgi_temp_path $dir; scgi_temp_path $dir;
  keepalive_requests 1000000000;
  http2_max_concurrent_streams 256;
  default_type application/json;
  server {
    listen 127.0.0.1:$port ssl http2;
    ssl_certificate $dir/cert.pem;
    ssl_certificate_key $dir/key.pem;
    location ~ /token/ {
      return 200 '{"meta":{"message":"token info","code":0},"data":{"access_token":"t","token_type":"Bearer","expires_in":604800,"scope":"read write groups"}}';
    }
    location / {
      return 200 '{"meta":{"message":"create permission ok","code":0},"data":{"client_id":"abc","device_id":"dev1"}}';
    }
  }
}
END
nginx -c "$dir/http2.conf" -e stderr &
nginx=$!
trap 'kill "$nginx"' TERM
until lua5.4 -e "os.exit(require('socket').connect('127.0.0.1', $port) ~= nil)"; do sleep 0.05; done
echo "$port"
wait "$nginx"
