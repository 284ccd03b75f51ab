#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Both ends of gRPC, whose messages are plain bytes in place of generated ones.

rpc.py serve NAME             at port GRPC in both families until it is ended
rpc.py ask ADDRESS [WORD...]  one call of each kind, the words in the stream; prints what came of them as JSON
"""

import asyncio
import json
import sys

import app
import grpc

SERVICE = "test.Service"
# In the trailers of every answer, beside grpc-status
TRAILER = "x-test-trailer"


class Server:
    def __init__(self, name):
        self.name = name

    async def run(self):
        server = grpc.aio.server()
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "Refuse": grpc.unary_unary_rpc_method_handler(self.refuse),
            "Stream": grpc.stream_stream_rpc_method_handler(self.stream)})])
        assert server.add_insecure_port(f"[::]:{app.GRPC}") == app.GRPC
        await server.start()
        print("ready", flush=True)
        await server.wait_for_termination()

    async def unary(self, request, context):
        passes = ",".join(value for key, value in context.invocation_metadata() if key == "x-envoy-pass")
        context.set_trailing_metadata(((TRAILER, "unary"),))
        return f"{request.decode()}, {self.name}, {passes}".encode()

    async def refuse(self, request, context):
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, request.decode(), ((TRAILER, "refuse"),))

    async def stream(self, requests, context):
        """Answers each message as it comes, and once more when the client has closed its half."""
        count = 0
        async for request in requests:
            count += 1
            yield request.upper()
        context.set_trailing_metadata(((TRAILER, "stream"),))
        yield str(count).encode()


async def outcome(call):
    """A call's status, the text of that, and what its trailers hold."""
    trailers = {key: value for key, value in await call.trailing_metadata()}
    return {"status": (await call.code()).name, "details": await call.details(), "trailer": trailers.get(TRAILER)}


async def ask(address, *words):
    target = f"ipv6:[{address}]:{app.GRPC}" if ":" in address else f"ipv4:{address}:{app.GRPC}"
    async with grpc.aio.insecure_channel(target) as channel:
        unary = channel.unary_unary(f"/{SERVICE}/Unary")(b"question", timeout=app.TIMEOUT)
        result = {"unary": {"answer": (await unary).decode(), **await outcome(unary)}}
        refused = channel.unary_unary(f"/{SERVICE}/Refuse")(b"enough", timeout=app.TIMEOUT)
        result["refused"] = await outcome(refused)
        stream = channel.stream_stream(f"/{SERVICE}/Stream")(timeout=app.TIMEOUT)
        answers = []
        for word in words:
            # The next one only when this one's answer is there: nothing may wait for the stream's end.
            await stream.write(word.encode())
            answers.append((await stream.read()).decode())
        await stream.done_writing()
        answers.append((await stream.read()).decode())
        result["stream"] = {"answer": answers, **await outcome(stream)}
    return result


def main(what, *args):
    if what == "serve":
        asyncio.run(Server(*args).run())
    else:
        print(json.dumps(asyncio.run(ask(*args))))


if __name__ == "__main__":
    main(*sys.argv[1:])
