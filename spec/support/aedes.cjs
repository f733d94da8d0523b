// SPDX-License-Identifier: MIT
// An aedes (https://github.com/moscajs/aedes) on two ports of 127.0.0.1: MQTT 3.1.1 over TCP, and over WebSockets.
// PORT WEB_PORT. Its one login is "user" and "secret", which neither writes nor reads topics below "forbidden/".
const aedes = require("aedes")();
const { WebSocketServer, createWebSocketStream } = require("ws");
const http = require("http");
const net = require("net");

const forbidden = (topic) => topic.startsWith("forbidden/");

aedes.authenticate = (client, username, password, done) => {
  if (username === "user" && password?.toString() === "secret") return done(null, true);
  done(Object.assign(new Error("refused"), { returnCode: 4 }), false);
};
aedes.authorizePublish = (client, packet, done) => done(forbidden(packet.topic) ? new Error("refused") : null);
aedes.authorizeSubscribe = (client, filter, done) => done(null, forbidden(filter.topic) ? null : filter);

const web = http.createServer();
new WebSocketServer({ server: web, handleProtocols: () => "mqtt" }).on("connection", (socket) =>
  aedes.handle(createWebSocketStream(socket)));
net.createServer(aedes.handle).listen(process.argv[2], "127.0.0.1");
web.listen(process.argv[3], "127.0.0.1");
