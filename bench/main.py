"""Runs workloads and writes what came out; called by bench/run."""

import argparse
import os
import signal
import sys
import traceback
from pathlib import Path

import report
from against import Before, beside
from environment import Environment
from machine import Machine
from workloads import OF_THE_SERVER, SCALED, WORKLOADS, by_name


def select(wanted):
    """[(workload, cases)] of "name" or "name:parameter=value,value,parameter=value"."""
    if not wanted:
        return [(workload, workload.cases) for workload in WORKLOADS]
    chosen = {}
    for text in wanted:
        workload, cases = select_one(text)
        # in the table's order, each once, however often the workload is named
        before = chosen.get(workload.name, [])
        chosen[workload.name] = [case for case in workload.cases if case in before or case in cases]
    return [(by_name(name), cases) for name, cases in chosen.items()]


def select_one(text):
    name, _, conditions = text.partition(":")
    workload = by_name(name)
    if workload is None:
        sys.exit(f'there is no workload "{name}"; there are {", ".join(w.name for w in WORKLOADS)}')
    allowed, parameter = {}, None
    for part in filter(None, conditions.split(",")):
        if "=" in part:
            parameter, _, part = part.partition("=")
        allowed.setdefault(parameter, []).append(part)
    cases = [
        case for case in workload.cases
        if all(str(case.get(parameter)) in values for parameter, values in allowed.items())
    ]  # fmt: skip
    if not cases:
        sys.exit(f'"{text}" chooses no case')
    return workload, cases


def scaled(case, scale):
    return {name: max(1, round(value * scale)) if name in SCALED else value for name, value in case.items()}


class Results:
    """The figures of all rounds of one workload."""

    def __init__(self, workload, cases):
        self.workload = workload
        self.cases = cases
        self.figures = [[] for _ in cases]  # for each case, for each round: {figure: number}
        self.references = [{reference.name: [] for reference in workload.references} for _ in cases]

    def run_round(self, env):
        measured = {}
        for number, case in enumerate(self.cases):
            settings = {name: case[name] for name in OF_THE_SERVER if name in case}
            env.require(**self.workload.server, **settings)
            self.figures[number].append(self.workload.measure(env, case))
            for reference in self.workload.references:
                key = (reference.name, *(case.get(parameter) for parameter in reference.parameters))
                if key not in measured:
                    measured[key] = reference.measure(env, case)
                self.references[number][reference.name].append(measured[key])
            report.progress(self, number)


def measure(env, workload, cases, machine, runs, scale):
    results = Results(workload, [scaled(case, scale) for case in cases])
    results.conditions = machine.conditions()
    report.heading(results, machine)
    for _ in range(runs):
        results.run_round(env)
    results.conditions["load_at_end"] = os.getloadavg()[0]
    return results


def stage(args, folder):
    if args.against:
        return Before(args.bindir, args.before_bindir, folder)
    return Environment(args.bindir, folder)


def measure_all(args, runs, scale, document):
    """Every workload in an environment that none has failed in.  Returns the names of those that failed."""
    machine = Machine(args.bindir, runs, scale)
    done, failed = [], []
    env = None
    try:
        for workload, cases in select(args.workloads):
            if args.against:
                workload = beside(workload, args.against)
            try:
                if env is None:
                    env = stage(args, args.work / f"after{len(failed)}")
                done.append(measure(env, workload, cases, machine, runs, scale))
            except Exception:  # whatever it is, it is about this workload
                traceback.print_exc()
                failed.append(workload.name)
                # what it left behind must not disturb the others
                if env is not None:
                    env.close()
                    env = None
                continue
            print(report.table(done[-1]), flush=True)
            report.write_json(args.results / "results.json", machine, done)
            if document:
                report.write_document(args.results / "docs", machine, done)
    finally:
        if env is not None:
            env.close()
    return failed


def main():
    parser = argparse.ArgumentParser(prog="bench/run")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--bindir", type=Path)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--against", help="the commit that --before-bindir has installed")
    parser.add_argument("--before-bindir", type=Path)
    parser.add_argument("workloads", nargs="*")
    args = parser.parse_args()
    if args.list:
        for workload, cases in select(args.workloads):
            for case in cases:
                print(workload.name + ":" + ",".join(f"{name}={value}" for name, value in case.items()))
        return
    # so that servers are ended in an orderly way
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    runs, scale = int(os.environ.get("BENCH_RUNS", 3)), float(os.environ.get("BENCH_SCALE", 1))
    document = os.environ.get("BENCH_DOCUMENT", "yes" if scale == 1 else "no") == "yes" and not args.against
    failed = measure_all(args, runs, scale, document)
    if failed:
        sys.exit(f"bench: could not measure {', '.join(failed)}")


if __name__ == "__main__":
    main()
