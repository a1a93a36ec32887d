"""The counterpart of the Rust program's server and clients, by multiprocessing.managers.

    manager.py server SOCKET    serves until stdin ends
    manager.py client           does what it is told by lines of JSON on stdin, and answers each by one
"""

import json
import os
import queue
import sys
import threading
import time
from multiprocessing.managers import AcquirerProxy, BaseManager, BaseProxy, DictProxy, ListProxy

KEYS = 10_000
VALUE = 64
SECRET = b"manager-bench"
now_ns = time.monotonic_ns


class Shared(BaseManager):
    """A manager whose objects all clients share."""


class QueueProxy(BaseProxy):
    _exposed_ = ("put", "get")

    def put(self, value):
        return self._callmethod("put", (value,))

    def get(self):
        return self._callmethod("get")


PROXIES = {
    "entries": (dict, DictProxy),
    "counters": (dict, DictProxy),
    "bulk": (dict, DictProxy),
    "pushed": (list, ListProxy),
    "list": (list, ListProxy),
    "lock": (threading.Lock, AcquirerProxy),
    "queue": (queue.Queue, QueueProxy),
}


def server(socket):
    for name, (make, proxy) in PROXIES.items():
        shared = make()
        Shared.register(name, callable=lambda shared=shared: shared, proxytype=proxy)
    threading.Thread(target=end_with_stdin, daemon=True).start()
    Shared(address=socket, authkey=SECRET).get_server().serve_forever()


def end_with_stdin():
    sys.stdin.buffer.read()
    os._exit(0)


class Client:
    def __init__(self, introduction):
        for name, (_, proxy) in PROXIES.items():
            Shared.register(name, proxytype=proxy)
        self.manager = Shared(address=introduction["socket"], authkey=SECRET)
        self.manager.connect()
        self.proxies = {}
        self.keys = [f"k{introduction['index']:04}{index:011}" for index in range(KEYS)]
        self.value = ("abcdefghijklmnopqrstuvwxyz0123456789" * 2)[:VALUE]
        self.random = 0x9E3779B97F4A7C15 ^ ((introduction["index"] + 1) << 20)

    def shared(self, name):
        """A proxy that is kept: with the last one its connection would go."""
        if name not in self.proxies:
            self.proxies[name] = getattr(self.manager, name)()
        return self.proxies[name]

    def below(self, bound):
        # As quick as it gets in Python: a step of a linear generator.
        self.random = (self.random * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        return (self.random >> 33) * bound >> 31

    def any(self):
        return self.keys[self.below(KEYS)]

    def entries(self, count):
        """The values are different ones: pickle sends one that it has sent before as a reference."""
        repeated = -(-VALUE // len(self.keys[0]))
        return {key: (key * repeated)[:VALUE] for key in self.keys[:count]}

    def prepare(self, order):
        stock = order["stock"]
        if stock == "entries" and order["size"] == VALUE:
            self.shared("entries").update(self.entries(KEYS))
        elif stock == "counters":
            self.shared("counters").update(dict.fromkeys(self.keys, 0))
        elif stock == "list":
            self.shared("list").extend([self.value] * KEYS)
        else:
            raise ValueError(f"there is no {stock} here")
        return "prepared"

    def run(self, order):
        act, operations = self.work(order["work"], order)
        laps = {}
        delay_ns = order["start_ns"] - now_ns()
        if delay_ns > 0:
            time.sleep(delay_ns / 1e9)
        start = last = now_ns()
        stop = order["stop_ns"]
        done = 0
        while last < stop:
            act()
            now = now_ns()
            lap = now - last
            last = now
            done += 1
            laps[lap] = laps.get(lap, 0) + 1
        return {
            "ran": {
                "operations": done * operations,
                "seconds": (last - start) / 1e9,
                "latencies": rounded(laps),
            }
        }

    def work(self, name, order):
        """What to do over and over, and how many operations that is."""
        value = self.value
        if name == "get":
            entries = self.shared("entries")
            return lambda: entries[self.any()], 1
        if name in ("insert", "set"):
            entries = self.shared("entries")
            return lambda: entries.__setitem__(self.any(), value), 1
        if name == "add":
            counters = self.shared("counters")

            def add():
                key = self.any()
                counters[key] = counters[key] + 1

            return add, 1
        if name == "list_push":
            pushed = self.shared("pushed")
            del pushed[:]
            return lambda: pushed.append(value), 1
        if name == "list_index":
            values = self.shared("list")
            return lambda: values[self.below(KEYS)], 1
        if name == "lock":
            lock = self.shared("lock")

            def lock_and_unlock():
                lock.acquire()
                lock.release()

            return lock_and_unlock, 1
        if name == "queue":
            waiting = self.shared("queue")

            def put_and_get():
                waiting.put(value)
                waiting.get()

            return put_and_get, 1
        if name == "bulk":
            bulk = self.shared("bulk")
            some = self.entries(order["entries"])
            return lambda: bulk.update(some), order["entries"]
        if name == "snapshot":
            entries = self.shared("entries")
            return entries.copy, 1
        raise ValueError(f"this client does not do {name}")


def rounded(laps):
    """Three digits are enough."""
    counts = {}
    for lap, count in laps.items():
        unit = 10 ** max(0, len(str(lap)) - 3)
        lap = (lap + unit // 2) // unit * unit
        counts[lap] = counts.get(lap, 0) + count
    return sorted(counts.items())


def client():
    mine = Client(json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = mine.prepare(order) if order["order"] == "prepare" else mine.run(order)
        except Exception as error:
            answer = {"failed": repr(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "server":
        server(sys.argv[2])
    else:
        client()
