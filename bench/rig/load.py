"""The load: closed-loop MLLP senders, one process, as little of it as can be.

    python load.py --port P --connections N --seconds S    prints one line of JSON

Each connection sends its next message when the answer to the one before has come, and an answer
counts only if it is a yes with that message's control id. Sockets block and epoll says which one
has an answer: no event loop, no parsing. ``cpu_share`` tells whether this process was the
bottleneck, ``stolen`` what share of all processors' time the machine's host gave to somebody else.
Needs the standard library alone (and Linux).
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import ssl
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from bench.rig.messages import ID, SMALL_LINES, make_message

TIMEOUT_S = 30.0
END = b"\x1c\r"


class Sender:
    """One connection, with at most one message on its way."""

    def __init__(self, link: socket.socket, name: str) -> None:
        self._parts = make_message(SMALL_LINES).encode().split(ID.encode())
        self._name = name
        self._count = 0
        self._answer = b""
        self._yes: tuple[bytes, ...] = ()
        self.link = link
        self.sent_s = 0.0

    def send(self) -> None:
        """Send the next message."""
        self._count += 1
        control_id = f"{self._name}N{self._count}".encode()
        self._yes = (b"MSA|AA|" + control_id, b"MSA|CA|" + control_id)
        self._answer = b""
        frame = b"\x0b" + control_id.join(self._parts) + END
        self.sent_s = time.perf_counter()
        self.link.sendall(frame)

    def receive(self) -> bool | None:
        """Read what has come: True for a yes, False for any other answer, None for not yet.

        Raises:
            ConnectionError: The peer closed.
        """
        data = self.link.recv(65536)
        if not data:
            raise ConnectionResetError
        self._answer += data
        if not self._answer.endswith(END):
            return None
        return self._answer.find(self._yes[0]) >= 0 or self._answer.find(self._yes[1]) >= 0


class Load:
    """All senders, and what they measured."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.latencies: list[float] = []
        self.answers = 0
        self.refused = 0
        self.lost = 0
        self._context = _context(options)
        self._poll = select.epoll()
        self._senders: dict[int, Sender] = {}
        for number in range(options.connections):
            sender = Sender(self._connect(options.port), f"{options.name}C{number}")
            # One whole exchange: what TLS sends after its handshake is out of the way.
            sender.send()
            while sender.receive() is None:
                pass
            self._senders[sender.link.fileno()] = sender
            self._poll.register(sender.link, select.EPOLLIN)

    def run(self, seconds: float) -> float:
        """Send for so long; returns the seconds it really took."""
        started_s = time.perf_counter()
        for sender in self._senders.values():
            sender.send()
        deadline_s = started_s + seconds
        while time.perf_counter() < deadline_s and self._senders:
            ready = self._poll.poll(TIMEOUT_S)
            if not ready:
                self.lost += len(self._senders)
                break
            for number, _ in ready:
                self._take(number)
        return time.perf_counter() - started_s

    def drain(self) -> None:
        """Wait for the answers that are on their way, so that the next run starts clean."""
        for number, sender in list(self._senders.items()):
            try:
                while sender.receive() is None:
                    pass
            except OSError:
                self._drop(number)

    def _take(self, number: int) -> None:
        sender = self._senders[number]
        try:
            answer = sender.receive()
            if answer is None:
                return
            self.answers += 1
            self.latencies.append(time.perf_counter() - sender.sent_s)
            self.refused += not answer
            sender.send()
        except OSError:
            self._drop(number)

    def _drop(self, number: int) -> None:
        self.lost += 1
        self._poll.unregister(number)
        self._senders.pop(number).link.close()

    def _connect(self, port: int) -> socket.socket:
        link = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is None:
            return link
        return self._context.wrap_socket(link, server_hostname="127.0.0.1")


def _context(options: argparse.Namespace) -> ssl.SSLContext | None:
    if options.tls_ca is None:
        return None
    context = ssl.create_default_context(cafile=options.tls_ca)
    if options.certificate is not None:
        context.load_cert_chain(options.certificate, options.key)
    return context


def processor_ticks() -> tuple[int, int]:
    """Return the time stolen from this machine since its start, and all time (proc_stat(5))."""
    with Path("/proc/stat").open(encoding="ascii") as file:
        times = [int(number) for number in file.readline().split()[1:9]]
    return times[-1], sum(times)


def percentile_ms(ordered: list[float], share: float) -> float:
    """Return a percentile of sorted seconds in milliseconds; nan of none."""
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


def main() -> None:
    """Connect, warm up, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warm", type=float, default=1.0, help="at most --seconds")
    parser.add_argument("--name", default="L", help="begins every control id")
    parser.add_argument("--tls-ca")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    options = parser.parse_args()
    connecting_s = time.perf_counter()
    load = Load(options)
    connecting_s = time.perf_counter() - connecting_s
    load.run(min(options.warm, options.seconds))
    load.drain()
    load.latencies, load.refused, load.lost = [], 0, 0
    cpu_s, (stolen, total) = time.process_time(), processor_ticks()
    seconds = load.run(options.seconds)
    cpu_s, (stolen_now, total_now) = time.process_time() - cpu_s, processor_ticks()
    ordered = sorted(load.latencies)
    figures = {
        "answers": load.answers
        + 2 * options.connections,  # each one's first, and the warm one's last
        "acks": len(ordered) - load.refused,
        "rate": (len(ordered) - load.refused) / seconds,
        **{f"p{share}_ms": percentile_ms(ordered, share / 100) for share in (50, 95, 99)},
        "max_ms": percentile_ms(ordered, 1.0),
        "refused": load.refused,
        "lost": load.lost,
        "cpu_share": cpu_s / seconds,
        "stolen": (stolen_now - stolen) / max(1, total_now - total),
        "connect_ms": connecting_s / options.connections * 1000,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
