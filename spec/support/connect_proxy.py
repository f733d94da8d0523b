# SPDX-License-Identifier: MIT
"""An HTTP proxy for CONNECT that wants a login: connect_proxy.py PORT_FILE USER:PASSWORD. It serves until it is killed."""
import base64
import socket
import sys
import threading


def copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client, login):
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(4096)
    if b"Basic " + base64.b64encode(login.encode()) not in head:
        client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        client.close()
        return
    host, port = head.split()[1].decode().rsplit(":", 1)
    server = socket.create_connection((host, int(port)))
    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    threading.Thread(target=copy, args=(client, server), daemon=True).start()
    copy(server, client)


listener = socket.create_server(("127.0.0.1", 0))
with open(sys.argv[1], "w") as file:
    file.write(f"{listener.getsockname()[1]}\n")
while True:
    connection = listener.accept()[0]
    threading.Thread(target=serve, args=(connection, sys.argv[2]), daemon=True).start()
