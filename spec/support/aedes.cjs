// SPDX-License-Identifier: MIT
// An aedes (https://github.com/moscajs/aedes) on two free ports of 127.0.0.1, which it prints: MQTT 3.1.1 over TCP, and
// over WebSockets. Whoever publishes a client id to "kick" has that client's connection cut.
const aedes = require("aedes")();
const { WebSocketServer, createWebSocketStream } = require("ws");
const http = require("http");
const net = require("net");

aedes.on("publish", (packet) => {
  if (packet.topic !== "kick") return;
  const client = aedes.clients[packet.payload.toString()];
  if (client) client.conn.destroy();
});

const plain = net.createServer(aedes.handle);
const web = http.createServer();
new WebSocketServer({ server: web, handleProtocols: () => "mqtt" }).on("connection", (socket) =>
  aedes.handle(createWebSocketStream(socket)));

plain.listen(0, "127.0.0.1", () => web.listen(0, "127.0.0.1", () => {
  console.log(plain.address().port);
  console.log(web.address().port);
}));
