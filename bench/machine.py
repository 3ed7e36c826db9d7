"""On what was measured: the machine, the versions, the load at the time."""

import os
import platform
import re
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from environment import ROOT


def _output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _line_of(file, name):
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


class Machine:
    def __init__(self, bindir, runs, scale):
        kafka = next(Path(os.environ["BURROW_KAFKA"]).glob("kafka_*.jar")).stem
        memory = int(_line_of("/proc/meminfo", "MemTotal").split()[0]) / 2**20
        self.facts = {
            "cores": os.cpu_count(),
            "processor": _line_of("/proc/cpuinfo", "model name"),
            "memory_gib": round(memory, 1),
            "kernel": platform.release(),
            "postgresql": _output(bindir / "postgres", "--version").removeprefix("postgres (PostgreSQL) "),
            "librdkafka": _output(ROOT / "build/bench/baseline", "--version"),
            "kafka": re.sub(r"^kafka_[\d.]+-", "", kafka),
            "runs": runs,
            "scale": scale,
        }

    def conditions(self):
        """What changes from one workload to the next."""
        return {
            "started": datetime.now(timezone.utc).isoformat(timespec="minutes"),
            "load_at_start": os.getloadavg()[0],
        }

    def sentence(self, conditions):
        f = self.facts
        ending = f", {conditions['load_at_end']:.1f} at the end" if "load_at_end" in conditions else ""
        scale = "" if f["scale"] == 1 else f", scale {f['scale']}"
        return (
            f"{f['cores']} cores ({f['processor']}), {f['memory_gib']} GiB, Linux {f['kernel']};"
            f" PostgreSQL {f['postgresql']}, librdkafka {f['librdkafka']}, Apache Kafka {f['kafka']};"
            f" medians of {f['runs']}{scale}, {conditions['started'][:10]},"
            f" load average {conditions['load_at_start']:.1f} at the start{ending}."
        )
