"""The tasks of pool.rs by multiprocessing.Pool.

For each line on stdin, a way, it does all tasks in that way and prints the seconds that took.
"""

import multiprocessing
import sys
import time


def square(x):
    return x * x


def apply_async(pool, tasks):
    results = [pool.apply_async(square, (x,)) for x in range(tasks)]
    return [result.get() for result in results]


WAYS = {
    "map": lambda pool, tasks: pool.map(square, range(tasks)),
    "imap": lambda pool, tasks: list(pool.imap(square, range(tasks))),
    "apply_async": apply_async,
}


def main():
    workers, tasks = int(sys.argv[1]), int(sys.argv[2])
    expected = [x * x for x in range(tasks)]
    with multiprocessing.Pool(workers) as pool:
        pool.map(square, range(workers))
        print("python", sys.version.split()[0], multiprocessing.get_start_method(), flush=True)
        for line in sys.stdin:
            begun = time.perf_counter()
            squares = WAYS[line.strip()](pool, tasks)
            seconds = time.perf_counter() - begun
            assert squares == expected, line
            print(seconds, flush=True)


if __name__ == "__main__":
    main()
