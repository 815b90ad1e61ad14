#!/usr/bin/env python3
"""Traffic of one host in the test of real records: run in its network namespace.  laboratory.py serve | visit …

Each connection ends with a RST of another cause. Nothing here knows of the fleet's join.
"""

from __future__ import annotations

import json
import random
import socket
import struct
import sys
import threading
import time

LINGER, UNREAD, LATE, CLIENT, REJECTED, IDLE, CLOSED = 8001, 8002, 8003, 8004, 8005, 8006, 81
ENDINGS = (LINGER, UNREAD, LATE, CLIENT, REJECTED, CLOSED)

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21


def serve() -> None:
    for port in (LINGER, UNREAD, LATE, CLIENT, IDLE):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", port))
        listener.listen(128)
        threading.Thread(target=accept, args=(listener, port), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


def accept(listener: socket.socket, port: int) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=end, args=(connection, port), daemon=True).start()


def end(connection: socket.socket, port: int) -> None:
    try:
        if port == LINGER:
            connection.recv(1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif port == UNREAD:
            time.sleep(0.05)
        elif port in (CLIENT, IDLE):
            while connection.recv(100):
                pass
    except OSError:
        pass
    connection.close()


def visit(count: int, seconds: float, seed: int, targets: list[str]) -> None:
    rng = random.Random(seed)
    begin = time.monotonic()
    for number in range(count):
        time.sleep(max(0, begin + number * seconds / count - time.monotonic()))
        threading.Thread(target=call, args=(rng.choice(targets), rng.choice(ENDINGS)), daemon=True).start()
    time.sleep(2)


def call(address: str, port: int) -> None:
    connection = socket.socket()
    connection.settimeout(3)
    try:
        connection.connect((address, port))
        if port == CLIENT:
            connection.send(b"x")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif port == LATE:
            connection.recv(1)  # the server's end
            connection.send(b"too late")
            time.sleep(0.2)
        else:
            connection.send(b"hello")
            connection.recv(10)
    except OSError:
        pass
    connection.close()


def hold(address: str, count: int) -> None:
    """Opens connections and tells what a forged RST of each must look like; then holds them until standard input ends."""
    held = []
    for _ in range(count):
        connection = socket.create_connection((address, IDLE))
        local = connection.getsockname()
        connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        numbers = []
        for queue in (1, 2):  # received, sent
            connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
            numbers.append(connection.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ) & 0xFFFFFFFF)
        connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, -1)  # off, without a probe
        print(json.dumps({"src": address, "sport": IDLE, "dst": local[0], "dport": local[1], "seq": numbers[0], "ack": numbers[1]}),
              flush=True)
        held.append(connection)
    print("ready", flush=True)
    sys.stdin.read()


def forge(seconds: float) -> None:
    """Sends the RSTs that standard input lists."""
    wanted = [json.loads(line) for line in sys.stdin]
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for one in wanted:
        source, target = socket.inet_aton(one["src"]), socket.inet_aton(one["dst"])
        segment = struct.pack(">HHIIBBHHH", one["sport"], one["dport"], one["seq"], one["ack"], 5 << 4, 0x14, 0, 0, 0)
        pseudo = source + target + struct.pack(">BBH", 0, 6, len(segment))
        segment = segment[:16] + struct.pack(">H", checksum(pseudo + segment)) + segment[18:]
        header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 7, 0, one["ttl"], 6, 0, source, target)
        raw.sendto(header + segment, (one["dst"], 0))
        time.sleep(seconds / len(wanted))


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    if command == "serve":
        serve()
    elif command == "visit":
        visit(int(rest[0]), float(rest[1]), int(rest[2]), rest[3:])
    elif command == "hold":
        hold(rest[0], int(rest[1]))
    else:
        forge(float(rest[0]))
