# SPDX-License-Identifier: MIT
"""MQTT over WebSockets in front of a broker that has none: listen port, broker's port, [certificate, key]."""
import sys

from websockify import websockifyserver
from websockify.websocketproxy import WebSocketProxy

# websockify itself agrees to no subprotocol that a client asks for.
websockifyserver.CompatibleWebSocket.select_subprotocol = lambda self, protocols: protocols[0]

port, broker_port = int(sys.argv[1]), int(sys.argv[2])
tls = {"cert": sys.argv[3], "key": sys.argv[4], "ssl_only": True} if len(sys.argv) > 3 else {}
WebSocketProxy(listen_host="127.0.0.1", listen_port=port, target_host="localhost", target_port=broker_port,
               **tls).start_server()
