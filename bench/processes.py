"""What processes cost, read from /proc: CPU time by thread, wake-ups, memory."""

import os
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")


def children(pid):
    listed = [Path(f"/proc/{pid}/task/{thread}/children").read_text() for thread in os.listdir(f"/proc/{pid}/task")]
    return [int(child) for text in listed for child in text.split()]


def title(pid):
    """What ps shows; empty when the process has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0].strip()
    except OSError:
        return ""


def process_seconds(pid):
    """CPU time of a process with all its threads, also those that have ended; in clock ticks."""
    # The name stands in parentheses and may hold anything; the fields after it are numbers.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


def thread_seconds(pid, thread):
    """CPU time of one thread, to the nanosecond."""
    return int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0]) / 1e9


def main_seconds(pid):
    """CPU time of the main thread; PostgreSQL's processes have no other."""
    return thread_seconds(pid, pid)


def other_threads(pid):
    return [int(thread) for thread in os.listdir(f"/proc/{pid}/task") if int(thread) != pid]


def other_seconds(pid):
    """CPU time of all threads beside the main one: librdkafka's, in a consumer."""
    return sum(thread_seconds(pid, thread) for thread in other_threads(pid))


def _status(path, name):
    for line in Path(path, "status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    raise KeyError(f"{path}/status has no {name}")


def wakeups(pid, thread=None):
    """How often a thread, or the main one, went to sleep and came back."""
    return _status(f"/proc/{pid}/task/{thread or pid}", "voluntary_ctxt_switches")


def peak_memory(pid):
    """The most bytes that were resident, pages of shared memory included."""
    return _status(f"/proc/{pid}", "VmHWM") * 1024


def resident_memory(pid):
    """Bytes that are resident now, pages of shared memory included."""
    return _status(f"/proc/{pid}", "VmRSS") * 1024


def private_memory(pid):
    """Resident bytes that are this process's own."""
    return _status(f"/proc/{pid}", "RssAnon") * 1024


def huge_memory():
    """Bytes of the system's huge pages that are in use, or promised to who has not touched them."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    of = {words[0].rstrip(":"): int(words[1]) for words in lines}
    return (of["HugePages_Total"] - of["HugePages_Free"] + of["HugePages_Rsvd"]) * of["Hugepagesize"] * 1024
