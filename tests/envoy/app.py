#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands at both ends of Envoy, each in a network namespace of a test.

app.py serve NAME CERTIFICATE KEY        serves all of SERVED in both families until it is ended
app.py many ADDRESS PORT COUNT           COUNT connections at once, then one request on each
app.py load ADDRESS PORT WORKERS LIMIT   requests, each on a new connection, until SIGTERM or LIMIT seconds are over

The clients print what came of it as JSON.
"""

import asyncio
import base64
import hashlib
import json
import resource
import signal
import socket
import ssl
import struct
import sys
import time

import h2.config
import h2.connection
import h2.events

# What is at which port, of the pod's application and of its peer alike.  HTTP is 1.1 or 2, as the client speaks.
HTTP, EXCLUDED, SINK, BANNER, TLS, GOODBYE, DNS = 8080, 8081, 7000, 7001, 8443, 7002, 53
# That of rpc.py
GRPC = 9000
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KINDS = {"A": 1, "TXT": 16, "AAAA": 28}
FILLING = bytes(range(256)) * 256
TIMEOUT = 30
# A request under load that takes longer is lost.
LOST = 10


def blocks(count):
    """So many blocks of 64 KiB, no two of them alike."""
    return (struct.pack("!Q", number) + FILLING[8:] for number in range(count))


def together(fields):
    """Names and values as a dictionary, repeated fields as one."""
    headers = {}
    for name, value in fields:
        name = name.lower()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


class Server:
    def __init__(self, name, certificate, key):
        self.name = name
        self.goodbyes = []
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)
        self.tls.sni_callback = self.sni
        self.served = {HTTP: self.http, EXCLUDED: self.http, SINK: self.sink, BANNER: self.banner, TLS: self.secret,
                       GOODBYE: self.goodbye, DNS: self.dns}

    @staticmethod
    def sni(connection, name, _):
        connection.asked = name

    async def run(self):
        for family, address in (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"):
            for port, handler in self.served.items():
                await asyncio.start_server(self.guarded(handler), address, port, family=family, backlog=4096,
                                           ssl=self.tls if port == TLS else None)
        # In both families
        await asyncio.get_running_loop().create_datagram_endpoint(Resolver, ("::", DNS))
        print("ready", flush=True)
        await asyncio.Event().wait()

    @staticmethod
    def guarded(handler):
        async def handle(reader, writer):
            try:
                await handler(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                pass
            finally:
                writer.close()
        return handle

    def answer(self, writer, **more):
        return json.dumps({"name": self.name, "peer": writer.get_extra_info("peername")[0], **more}).encode()

    async def http(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        if PREFACE.startswith(head):
            await self.http2(head, reader, writer)
            return
        while head:
            if not await self.http1(head.decode().split("\r\n"), reader, writer):
                return
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return

    async def http1(self, lines, reader, writer):
        """Answers one request; returns whether another one may follow."""
        method, path, _ = lines[0].split()
        headers = together(line.split(": ", 1) for line in lines[1:] if line)
        if headers.get("upgrade") == "websocket":
            accept = hashlib.sha1((headers["sec-websocket-key"] + WEBSOCKET).encode()).digest()
            passes = headers.get("x-envoy-pass", "")
            writer.write(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         f"X-Passes: {passes}\r\n"
                         f"Sec-WebSocket-Accept: {base64.b64encode(accept).decode()}\r\n\r\n".encode())
            while frame := await reader.read(65536):
                writer.write(frame)
                await writer.drain()
            return False
        digest, left = hashlib.sha256(), int(headers.get("content-length", 0))
        while left:
            block = await reader.read(min(left, 65536))
            if not block:
                return False
            digest.update(block)
            left -= len(block)
        if path.startswith("/bytes/"):
            count = int(path[7:])
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {count * len(FILLING)}\r\n\r\n".encode())
            for block in blocks(count):
                writer.write(block)
                await writer.drain()
            return True
        more = {"goodbyes": self.goodbyes} if path == "/goodbyes" else {}
        body = self.answer(writer, version="1.1", passes=headers.get("x-envoy-pass", ""), method=method,
                           sha256=digest.hexdigest(), **more)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        return headers.get("connection") != "close"

    async def http2(self, start, reader, writer):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        data = start
        while data:
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    headers = together((name.decode(), value.decode()) for name, value in event.headers)
                    body = self.answer(writer, version="2", passes=headers.get("x-envoy-pass", ""))
                    connection.send_headers(event.stream_id, [(":status", "200")])
                    connection.send_data(event.stream_id, body, end_stream=True)
            writer.write(connection.data_to_send())
            await writer.drain()
            data = await reader.read(65536)

    async def sink(self, reader, writer):
        """Takes all until the client has closed its half, then says what came."""
        digest, count = hashlib.sha256(), 0
        while block := await reader.read(65536):
            digest.update(block)
            count += len(block)
        writer.write(self.answer(writer, count=count, sha256=digest.hexdigest()))
        await writer.drain()

    async def banner(self, reader, writer):
        """Speaks first, then repeats what it hears."""
        writer.write(self.answer(writer) + b"\n")
        while block := await reader.read(65536):
            writer.write(block)
            await writer.drain()

    async def goodbye(self, reader, writer):
        """Closes its own half first, and goes on listening."""
        writer.write(b"bye")
        writer.write_eof()
        text = await reader.read()
        self.goodbyes.append(text.decode())

    async def dns(self, reader, writer):
        while True:
            size, = struct.unpack("!H", await reader.readexactly(2))
            answer = resolved(await reader.readexactly(size))
            writer.write(struct.pack("!H", len(answer)) + answer)

    async def secret(self, _, writer):
        writer.write(self.answer(writer, sni=writer.get_extra_info("ssl_object").asked))
        await writer.drain()


class Resolver(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(resolved(data), addr)


def resolved(query):
    """A DNS answer: an address of any name is 192.0.2.53 or 2001:db8::53."""
    end = query.index(b"\0", 12) + 5
    kind, = struct.unpack("!H", query[end - 4:end - 2])
    address = {KINDS["A"]: socket.inet_aton("192.0.2.53"),
               KINDS["AAAA"]: socket.inet_pton(socket.AF_INET6, "2001:db8::53")}.get(kind, b"")
    answer = b"\xc0\x0c" + struct.pack("!2HIH", kind, 1, 60, len(address)) + address if address else b""
    return query[:2] + struct.pack("!5H", 0x8180, 1, 1 if address else 0, 0, 0) + query[12:end] + answer


async def request(reader, writer):
    """One GET on a connection; its answer's JSON."""
    writer.write(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ConnectionError(head.split(b"\r\n")[0].decode())
    return json.loads(await reader.read())


async def many(address, port, count):
    limit = asyncio.Semaphore(200)

    async def connect():
        async with limit:
            return await asyncio.wait_for(asyncio.open_connection(address, port), TIMEOUT)

    connections = await asyncio.gather(*(connect() for _ in range(count)))
    answers = await asyncio.wait_for(asyncio.gather(*(request(*each) for each in connections)), TIMEOUT)
    for _, writer in connections:
        writer.close()
    return {"answers": len(answers), "passes": sorted({each["passes"] for each in answers})}


async def load(address, port, workers, limit):
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    result = {"requests": 0, "failed": [], "passes": {}}
    deadline = time.monotonic() + limit

    async def one():
        reader, writer = await asyncio.open_connection(address, port)
        try:
            return await request(reader, writer)
        finally:
            writer.close()

    async def work():
        while not stop.is_set() and time.monotonic() < deadline:
            try:
                answer = await asyncio.wait_for(one(), LOST)
                result["requests"] += 1
                result["passes"][answer["passes"]] = result["passes"].get(answer["passes"], 0) + 1
            except (OSError, EOFError, asyncio.TimeoutError) as error:
                result["failed"].append(repr(error))
                await asyncio.sleep(0.01)

    started, kernel = time.monotonic(), in_kernel()
    print("ready", flush=True)
    await asyncio.gather(*(work() for _ in range(workers)))
    return {**result, "seconds": time.monotonic() - started, "kernel": in_kernel() - kernel}


def in_kernel():
    return resource.getrusage(resource.RUSAGE_SELF).ru_stime


def main(what, *args):
    if what == "serve":
        asyncio.run(Server(*args).run())
    else:
        address, *numbers = args
        print(json.dumps(asyncio.run({"many": many, "load": load}[what](address, *map(int, numbers)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
