# SPDX-License-Identifier: GPL-2.0-or-later
"""demo.py serve NAME PORT… | demo.py connect ADDRESS PORT

The server tells who it is and where a connection was meant to go; the client prints that.
"""

import selectors
import socket
import struct
import sys

SO_ORIGINAL_DST = 80


def original_destination(connection):
    """Where the client meant to go; what nothing redirects has no record, and meant to come here."""
    try:
        return redirected_from(connection)
    except OSError:
        return connection.getsockname()[:2]


def redirected_from(connection):
    if connection.family == socket.AF_INET:
        _, port, addr = struct.unpack("!HH4s8x", connection.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16))
    else:
        _, port, _, addr, _ = struct.unpack("!HHI16sI", connection.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28))
    return socket.inet_ntop(connection.family, addr), port


def serve(name, ports):
    ready = selectors.DefaultSelector()
    for port in map(int, ports):
        for family, addr in (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"):
            ready.register(socket.create_server((addr, port), family=family), selectors.EVENT_READ, port)
    print("ready", flush=True)
    while True:
        for key, _ in ready.select():
            with key.fileobj.accept()[0] as connection:
                addr, port = original_destination(connection)
                connection.sendall(f"{name} port {key.data}, meant for {addr} port {port}".encode())


def connect(addr, port):
    with socket.create_connection((addr, int(port)), timeout=5) as connection:
        print(connection.recv(200).decode())


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], sys.argv[3:])
    else:
        connect(*sys.argv[2:])
