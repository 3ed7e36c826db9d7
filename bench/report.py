"""What was measured, as text for the terminal, JSON, and sections of docs/benchmarks.md."""

import json
import re
from statistics import median

import plot
from environment import ROOT

DOCUMENT = ROOT / "docs/benchmarks.md"


def number(value, digits):
    return f"{value:,.{digits}f}"


def summary(figures):
    """{figure: {median, min, max}} of the rounds' figures."""
    return {
        name: {
            "median": median(round_[name] for round_ in figures),
            "min": min(round_[name] for round_ in figures),
            "max": max(round_[name] for round_ in figures),
        }
        for name in figures[0]
    }


def comparisons(workload):
    """(reference's name, the column of the figure it is compared by)."""
    columns = {column.figure: column for column in workload.columns}
    return [(reference.name, columns[figure]) for reference in workload.references for figure in workload.compared]


def header(workload):
    cells = [name.replace("_", " ") for name in workload.shown]
    for column in workload.columns:
        cells.append(column.heading)
        if column.spread:
            cells.append("min - max")
    for name, column in comparisons(workload):
        cells += [name if len(workload.compared) == 1 else f"{name} {column.heading}", "ratio"]
    return cells + [f"{reference.name}, µs" for reference in workload.references if reference.cost]


def shown(workload, case):
    return [str(case[name]) for name in workload.shown]


def row(results, index):
    case, workload = results.cases[index], results.workload
    cells = shown(workload, case)
    figures = summary(results.figures[index])
    for column in workload.columns:
        figure = figures[column.figure]
        cells.append(number(figure["median"], column.digits))
        if column.spread:
            cells.append(f"{number(figure['min'], column.digits)} - {number(figure['max'], column.digits)}")
    for name, column in comparisons(workload):
        other = summary(results.references[index][name])[column.figure]["median"]
        cells += [number(other, column.digits), number(figures[column.figure]["median"] / other, 3)]
    for reference in workload.references:
        if reference.cost:
            cost = summary(results.references[index][reference.name])[reference.cost]
            cells.append(number(cost["median"], 2))
    return cells


def table(results):
    """A table in Markdown, which reads well on a terminal, too."""
    first_figure = len(results.workload.shown)
    lines = [header(results.workload)] + [row(results, index) for index in range(len(results.cases))]
    widths = [max(map(len, column)) for column in zip(*lines)]

    def text(cells):
        padded = [
            cell.ljust(width) if place < first_figure else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths))
        ]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * width if place < first_figure else "-" * (width - 1) + ":" for place, width in enumerate(widths)]
    return "\n".join([text(lines[0]), text(rule), *map(text, lines[1:])])


def heading(results, machine):
    print(f"\n== {results.workload.name}: {results.workload.about}", flush=True)
    print(machine.sentence(results.conditions), flush=True)


def progress(results, index):
    """One line for one run of one case."""
    workload = results.workload
    names = [name.replace("_", " ") for name in workload.shown]
    case = ", ".join(map(" ".join, zip(names, shown(workload, results.cases[index]))))
    last = results.figures[index][-1]
    figures = [
        f"{column.heading} {number(last[column.figure], column.digits)}" for column in workload.columns if column.spread
    ]
    figures += [
        f"{name} {number(results.references[index][name][-1][column.figure], column.digits)}"
        for name, column in comparisons(workload)
    ]
    print(f"{case}: {', '.join(figures)}", flush=True)


def write_json(file, machine, done):
    content = {
        "machine": machine.facts,
        "workloads": {
            results.workload.name: {
                **results.conditions,
                "cases": [
                    {
                        "parameters": case,
                        "figures": summary(figures),
                        "references": {name: summary(rounds) for name, rounds in references.items()},
                        "rounds": figures,
                    }
                    for case, figures, references in zip(results.cases, results.figures, results.references)
                ],
            }
            for results in done
        },
    }
    file.write_text(json.dumps(content, indent=1) + "\n")


def write_document(folder, machine, done):
    """benchmarks.md with new contents between the markers of the workloads that ran,
    and the plots that belong to them."""
    text = DOCUMENT.read_text()
    for results in done:
        name = results.workload.name
        begin, end = f"<!-- {name}: generated by bench/run -->", f"<!-- {name}: end -->"
        parts = [results.workload.about, table(results), machine.sentence(results.conditions)]
        if plot.draw(results, folder / f"benchmarks-{name}.svg"):
            parts.insert(2, f"![{name}](benchmarks-{name}.svg)")
        section = "\n\n".join(parts)
        text, found = re.subn(
            f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{section}\n{end}", text, flags=re.S
        )
        if not found:
            raise AssertionError(f'docs/benchmarks.md has no markers for workload "{name}"')
    (folder / "benchmarks.md").write_text(text)
