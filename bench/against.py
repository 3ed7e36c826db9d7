"""An earlier build beside this one: bench/run --against REV.

Each case runs with both, one after the other, in the same round, so that whatever disturbs
the machine disturbs both.  The earlier build has a server and a broker of its own, with the
same messages; while one is measured the other has nothing to do.
"""

from dataclasses import replace

from environment import Environment
from workloads import Reference

# What both are compared by, where a workload has it: all it costs is Burrow's own but for the broker.
COMPARED = ("rate", "consumer_us", "librdkafka_us", "workers_us", "p50_ms", "p99_ms")


class Before(Environment):
    """This build's stage, and an earlier one's beside it."""

    def __init__(self, bindir, before_bindir, folder):
        super().__init__(bindir, folder)
        try:
            self.before = Environment(before_bindir, folder / "before")
        except BaseException:
            super().close()
            raise

    def require(self, **settings):
        super().require(**settings)
        self.before.require(**settings)

    def close(self):
        if hasattr(self, "before"):
            self.before.close()
        super().close()


def beside(workload, revision):
    """The workload, with the earlier build as its one reference."""
    figures = [column.figure for column in workload.columns]
    parameters = tuple(dict.fromkeys(name for case in workload.cases for name in case))
    return replace(
        workload,
        references=(Reference(revision, lambda env, case: workload.measure(env.before, case), parameters),),
        compared=tuple(figure for figure in COMPARED if figure in figures)
        or tuple(column.figure for column in workload.columns if column.spread),
    )
