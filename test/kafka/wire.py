"""Wires to a Kafka cluster that can be cut.

    wire.py NUMBER=LISTEN=TARGET ...

Whoever connects to LISTEN (HOST:PORT) speaks to TARGET.  "cut NUMBER", a line on standard input, has the wires of that
number forward nothing more, in either direction, and end no connection: as a network does that is cut.  "mend NUMBER"
has them go on: what was sent meanwhile arrives, as long as both ends are there.  Each line is answered by one when it is so.
"""

import asyncio
import sys

CHUNK = 1 << 16


class Wire:
    """All that has one number."""

    def __init__(self):
        self.whole = asyncio.Event()
        self.whole.set()

    async def forward(self, reader, writer):
        """What has arrived when the wire is cut waits; so does the end of a connection."""
        try:
            while data := await reader.read(CHUNK):
                await self.whole.wait()
                writer.write(data)
                await writer.drain()
            await self.whole.wait()
        except ConnectionError:
            await self.whole.wait()
        finally:
            writer.close()

    async def connect(self, target, reader, writer):
        await self.whole.wait()
        host, port = target.rsplit(":", 1)
        try:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:  # the broker is down
            writer.close()
            return
        await asyncio.gather(self.forward(reader, far_writer), self.forward(far_reader, writer))


async def main():
    wires = {}
    servers = []
    for argument in sys.argv[1:]:
        number, listen, target = argument.split("=")
        wire = wires.setdefault(number, Wire())
        host, port = listen.rsplit(":", 1)
        servers.append(
            await asyncio.start_server(
                lambda reader, writer, wire=wire, target=target: wire.connect(target, reader, writer), host, int(port)
            )
        )
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := (await lines.readline()).decode():
        match line.split():
            case ["cut", number]:
                wires[number].whole.clear()
            case ["mend", number]:
                wires[number].whole.set()
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
