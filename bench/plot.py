"""Plots of results as SVG, by gnuplot."""

import subprocess
from statistics import median


def series(results):
    """{name: [(x, y)]}: a line for each combination of the parameters beside x, and
    one for each that a reference depends on; lines of one point are no lines."""
    workload, plot = results.workload, results.workload.plot
    lines = {}

    def add(prefix, parameters, case, rounds):
        if plot.figure not in rounds[0]:
            return
        named = [name for name in workload.shown if name in parameters and name != plot.x]
        name = ", ".join([*prefix, *(f"{name.replace('_', ' ')} {case[name]}" for name in named)])
        lines.setdefault(name, {})[case[plot.x]] = median(figures[plot.figure] for figures in rounds)

    for index, case in enumerate(results.cases):
        add((), workload.shown, case, results.figures[index])
        for reference in workload.references:
            if plot.x in reference.parameters:
                add((reference.name,), reference.parameters, case, results.references[index][reference.name])
    return {name: sorted(points.items()) for name, points in lines.items() if len(points) > 1}


def quoted(text):
    return '"' + text.replace('"', "'") + '"'


def script(results, lines):
    plot = results.workload.plot
    references = tuple(reference.name for reference in results.workload.references)
    every_x = sorted({x for points in lines.values() for x, _ in points})
    blocks = [
        f"$line{number} << END\n" + "".join(f"{x} {y}\n" for x, y in points) + "END"
        for number, points in enumerate(lines.values())
    ]
    curves = [
        f"$line{number} with linespoints dashtype {2 if name.startswith(references) else 1} title {quoted(name)}"
        for number, name in enumerate(lines)
    ]
    return "\n".join(
        [
            # a background, for readers whose page is dark
            'set terminal svg size 900,600 enhanced background rgb "white"',
            "set termoption noenhanced",
            "set key below",
            "set grid",
            "set logscale x",
            "set yrange [0:*]",
            'set format y "%.0f"',
            f"set xlabel {quoted(plot.x.replace('_', ' '))}",
            f"set ylabel {quoted(plot.heading)}",
            f"set xtics ({', '.join(map(str, every_x))})",
            f"set xrange [{every_x[0] * 0.8}:{every_x[-1] * 1.25}]",
            *blocks,
            "plot " + ", ".join(curves),
        ]
    )


def draw(results, file):
    """Write the plot of a workload, if its cases make one; tell whether they do."""
    if results.workload.plot is None:
        return False
    lines = series(results)
    if not lines:
        return False
    drawn = subprocess.run(["gnuplot"], input=script(results, lines), check=True, stdout=subprocess.PIPE, text=True)
    file.write_text(drawn.stdout)
    return True
