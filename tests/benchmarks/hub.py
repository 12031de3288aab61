"""What a student costs a hub: `make bench-hub` runs each notebook in a kernel of its own and prints memory and CPU time.

    python tests/benchmarks/hub.py [--students 4] [--threads 1] lectures/0*.ipynb

With --students several run the same notebook at the same time: the memory of each (its share of what all of them have in
common, such as torch's code, counted once among them: PSS) and how long the last one takes.  Linux only.
"""
import argparse
import os
import statistics
import threading
import time
from concurrent.futures import ProcessPoolExecutor

import nbformat
from nbclient import NotebookClient

SECONDS = "picture", "cpu", "wall"                   # to the first picture, of a processor, in all
MEGABYTES = "rss", "pss", "private", "kept"          # at their peaks; kept: private when all cells have run
LINES = {"rss": "Rss:", "pss": "Pss:", "private": "Private"}   # of the kernel's account of a process's memory


def memory(pid, kind):
    """MB of a process: "rss" all that it sees, "pss" its share of what is shared, "private" what is its alone."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(LINES[kind])) / 1000


def cpu(pid):
    """Seconds of a processor that a process has used."""
    with open(f"/proc/{pid}/stat") as file:
        used = file.read().rpartition(")")[2].split()[11:13]
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


def student(path):
    """Run a notebook as a student would; {what: figure} of its kernel."""
    client = NotebookClient(nbformat.read(path, 4), timeout=1200, kernel_name="python3", allow_errors=True)
    peaks, figures, start = {}, {}, time.perf_counter()
    with client.setup_kernel(cwd=os.path.dirname(path)):
        pid, over = client.km.provisioner.process.pid, threading.Event()

        def watch():
            while not over.wait(0.3):
                for kind in LINES:
                    peaks[kind] = max(peaks.get(kind, 0), memory(pid, kind))

        watcher = threading.Thread(target=watch)
        watcher.start()
        first = None
        for index, cell in enumerate(client.nb.cells):
            client.execute_cell(cell, index)
            if first is None and any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
                first = time.perf_counter() - start
        figures["kept"] = memory(pid, "private")
        over.set()
        watcher.join()
        figures |= {"cpu": cpu(pid), "wall": time.perf_counter() - start, "picture": first or float("nan")}
    return peaks | figures


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description="Memory and CPU time of a student.")
    parser.add_argument("notebooks", nargs="+")
    parser.add_argument("--students", type=int, default=1, help="so many run the same notebook at once")
    parser.add_argument("--threads", type=int, default=1, help="of each student's torch")
    chosen = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(chosen.threads)
    print(f"{chosen.students} at once, {chosen.threads} threads each, {os.cpu_count()} cores: seconds and MB, means")
    print(f"{'':34}" + "".join(f"{what:>10}" for what in (*SECONDS, "the last", *MEGABYTES)))
    for path in chosen.notebooks:
        with ProcessPoolExecutor(chosen.students) as pool:
            several = list(pool.map(student, [path] * chosen.students))
        mean = {what: statistics.mean(one[what] for one in several) for what in (*SECONDS, *MEGABYTES)}
        mean["the last"] = max(one["wall"] for one in several)
        print(f"{'/'.join(path.split('/')[-2:]):34}" + "".join(f"{mean[what]:10.1f}" for what in (*SECONDS, "the last"))
              + "".join(f"{mean[what]:10.0f}" for what in MEGABYTES), flush=True)


if __name__ == "__main__":
    main()
