#!/usr/bin/env python3
"""aioice behind the signalling contract of `floe connect --stdio`, as the other side of the interop tests.

Commands come as JSON lines on stdin, events leave as JSON lines on stdout, nothing else does. aioice gathers
everything before it tells anything, so the candidates of this peer come all at once.
"""

import asyncio
import importlib.metadata
import json
import logging
import os
import re
import statistics
import sys
import time

import aioice

ECHO = 0x80  # first byte of an echo message: neither STUN nor ChannelData nor DTLS
ASK, ANSWER = 0x71, 0x72
RESEND_AFTER = 0.2
MAX_SENDS = 10


def emit(event, **fields):
    print(json.dumps({"ev": event, **fields}), flush=True)


def stay_on_loopback():
    """Makes aioice gather 127.0.0.1 and nothing else; it has no public switch for that."""
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


def server_options(server):
    """One entry of the `ice` list as arguments of aioice.Connection."""
    match = re.fullmatch(r"(stun|turns?):([^:?]+)(?::(\d+))?(?:\?transport=(udp|tcp))?", server["urls"])
    if not match:
        raise ValueError(f"cannot use {server['urls']}")
    scheme, host, port, transport = match.groups()
    address = (host, int(port or (5349 if scheme == "turns" else 3478)))
    if scheme == "stun":
        return {"stun_server": address}
    return {
        "turn_server": address,
        "turn_username": server["username"],
        "turn_password": server["credential"],
        "turn_ssl": scheme == "turns",
        "turn_transport": transport or ("tcp" if scheme == "turns" else "udp"),
    }


class Echo:
    """Asks one message at a time and answers what the other side asks."""

    def __init__(self, send):
        self.send = send
        self.awaited = None
        self.came = asyncio.Event()

    async def take(self, data):
        if len(data) < 6 or data[0] != ECHO:
            return False
        if data[1] == ASK:
            await self.send(bytes([ECHO, ANSWER]) + data[2:])
        elif data == self.awaited:
            self.came.set()
        return True

    async def ask(self, number, size):
        """Returns how often the message had to be sent, or None if no echo came."""
        body = number.to_bytes(4, "big") + bytes(size - 6)
        self.awaited = bytes([ECHO, ANSWER]) + body
        self.came.clear()
        for sends in range(1, MAX_SENDS + 1):
            await self.send(bytes([ECHO, ASK]) + body)
            try:
                await asyncio.wait_for(self.came.wait(), RESEND_AFTER)
                return sends
            except asyncio.TimeoutError:
                pass
        return None

    async def run(self, count, size):
        start, times, resent = time.perf_counter(), [], 0
        for number in range(count):
            asked = time.perf_counter()
            sends = await self.ask(number, size)
            if sends is None:
                break
            times.append(time.perf_counter() - asked)
            resent += sends - 1
        emit(
            "pong",
            count=len(times),
            bytes=len(times) * size,
            resent=resent,
            ms=round(1000 * (time.perf_counter() - start), 1),
            rtt_us=round(1e6 * statistics.median(times)) if times else None,
        )


class Session:
    """One connection, from `start` to `close`."""

    def __init__(self, command):
        options = {}
        for server in command.get("ice", []):
            options = {**server_options(server), **options}
        if command.get("loopback"):
            stay_on_loopback()
        relay_only = command.get("policy") == "relay"
        policy = aioice.TransportPolicy.RELAY if relay_only else aioice.TransportPolicy.ALL
        self.role = command["role"]
        self.connection = aioice.Connection(
            ice_controlling=self.role == "offer", transport_policy=policy, **options
        )
        self.echo = Echo(self.connection.send)
        self.gathered = asyncio.Event()
        self.described = asyncio.Event()
        self.has_candidate = asyncio.Event()
        self.tasks = []
        self.begin(self.gather())
        self.begin(self.connect())

    def begin(self, coroutine):
        async def guarded():
            try:
                await coroutine
            except Exception as error:
                emit("error", msg=f"{type(error).__name__}: {error}")

        self.tasks.append(asyncio.create_task(guarded()))

    async def gather(self):
        ice = self.connection
        emit("local", type=self.role, ufrag=ice.local_username, pwd=ice.local_password, sdp=None, lite=False)
        emit("gathering", state="gathering")
        await ice.gather_candidates()
        for candidate in ice.local_candidates:
            emit("candidate", candidate="candidate:" + candidate.to_sdp())
        emit("gathering", state="complete")
        emit("end")
        self.gathered.set()

    async def connect(self):
        # aioice gives up at once if it knows no remote candidate when it begins.
        for ready in (self.gathered, self.described, self.has_candidate):
            await ready.wait()
        emit("state", state="checking", why="candidates on both sides")
        try:
            await self.connection.connect()
        except ConnectionError as error:
            emit("state", state="failed", why=str(error))
            return
        emit("state", state="connected", why="aioice says so")
        self.tell_selected()
        emit("open")
        self.begin(self.receive())

    def tell_selected(self):
        pair = self.connection._nominated[1]  # not public, and nothing public tells the pair
        local, remote = pair.local_candidate, pair.remote_candidate
        emit(
            "selected",
            local=local.type,
            remote=remote.type,
            local_addr=f"{local.host} {local.port}",
            remote_addr=f"{remote.host} {remote.port}",
            protocol="udp",
            why="nominated",
        )

    async def receive(self):
        while True:
            try:
                data = await self.connection.recv()
            except ConnectionError:
                return
            if not await self.echo.take(data):
                emit("message", hex=data.hex())

    def set_remote(self, command):
        self.connection.remote_username = command["ufrag"]
        self.connection.remote_password = command["pwd"]
        self.connection.remote_is_lite = bool(command.get("lite"))
        self.described.set()

    async def add_candidate(self, line):
        text = line.removeprefix("a=").removeprefix("candidate:")
        try:
            await self.connection.add_remote_candidate(aioice.Candidate.from_sdp(text))
        except ValueError as error:
            emit("ignored", candidate=line, msg=str(error))
            return
        self.has_candidate.set()

    async def end_of_candidates(self):
        await self.connection.add_remote_candidate(None)
        self.has_candidate.set()

    async def obey(self, command):
        match command["op"]:
            case "remote":
                self.set_remote(command)
            case "candidate":
                await self.add_candidate(command["candidate"])
            case "end":
                await self.end_of_candidates()
            case "ping":
                self.begin(self.echo.run(command["count"], command["size"]))
            case "send":
                data = bytes.fromhex(command["hex"]) if "hex" in command else command["text"].encode()
                await self.connection.send(data)
            case other:
                emit("error", msg=f"aioice cannot do {other!r}")

    async def close(self):
        await self.connection.close()
        for task in self.tasks:
            task.cancel()


async def lines_of_stdin():
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line


async def main():
    if os.environ.get("PEER_DEBUG"):
        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    version = importlib.metadata.version("aioice")
    emit("ready", peer="aioice", version=version, level="ice", trickle=False, turn=["udp", "tcp", "tls"])
    session = None
    async for line in lines_of_stdin():
        try:
            command = json.loads(line)
            if command["op"] == "close":
                break
            if command["op"] == "start":
                session = Session(command)
            elif session is None:
                emit("error", msg="start comes first")
            else:
                await session.obey(command)
        except (ValueError, KeyError) as error:
            emit("error", msg=f"{type(error).__name__}: {error}")
    if session:
        await session.close()
    emit("state", state="closed", why="asked to")
    emit("closed")


asyncio.run(main())
