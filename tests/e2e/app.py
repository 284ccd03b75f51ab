#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The application of the pod, and its neighbour.

app.py serve NAME PORT...            answers every connection with "NAME saw ADDRESS"
app.py get ADDRESS PORT              prints the answer
app.py resolve SERVER PROTO NAME     prints the address that the server gives for a name
"""

import socket
import socketserver
import struct
import sys
import threading

TIMEOUT = 5


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, name, family, port):
        self.name, self.address_family = name, family
        super().__init__(("", port), Answer)

    def server_bind(self):
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()


class Answer(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(f"{self.server.name} saw {self.client_address[0]}\n".encode())


def serve(name, *ports):
    servers = [Server(name, family, int(port)) for family in (socket.AF_INET, socket.AF_INET6) for port in ports]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    servers[0].serve_forever()


def read_all(sock):
    data = b""
    while block := sock.recv(1000):
        data += block
    return data


def get(address, port):
    with socket.create_connection((address, int(port)), TIMEOUT) as sock:
        print(read_all(sock).decode().strip())


def resolve(server, proto, name):
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    # One question (RFC 1035, 4.1): recursion desired, type A, class IN.
    query = struct.pack("!6H", 1, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)
    with socket.socket(family, socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.connect((server, 53))
        if proto == "tcp":
            sock.sendall(struct.pack("!H", len(query)) + query)
            size, = struct.unpack("!H", sock.recv(2, socket.MSG_WAITALL))
            answer = sock.recv(size, socket.MSG_WAITALL)
        else:
            sock.send(query)
            answer = sock.recv(1000)
    # The one answer ends with its address.
    print(socket.inet_ntoa(answer[-4:]) if answer[6:8] == b"\0\1" else "no answer")


if __name__ == "__main__":
    {"serve": serve, "get": get, "resolve": resolve}[sys.argv[1]](*sys.argv[2:])
