"""Where things live: who may include whom, circles of files, names by file, sizes.

The rules' one table is FOLDERS; src/README.md prints the same.  What does not hold yet
is listed in test/lint/known, a list that may only shrink: what is found and not listed
is a violation, and so is what is listed and not found any more.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
KNOWN = Path(__file__).with_name("known")

LOW = ("core", "shmem", "catalog", "kafka")

# From low to high: folder, and what it may include beside itself: folders, or single headers.
FOLDERS = {
    "core": (),
    "shmem": ("core",),
    "catalog": ("core",),
    "kafka": ("core",),
    "http": (),
    "metrics": ("core", "shmem"),
    "runtime": LOW,
    "exporter": ("core", "shmem", "http", "metrics", "runtime"),
    "handler": (*LOW, "runtime"),
    "launcher": (*LOW, "runtime"),
    "worker": (*LOW, "runtime", "handler"),
    "partition": (*LOW, "runtime"),
    "offsets": (*LOW, "runtime", "partition"),
    "dead_letter": (*LOW, "runtime", "partition", "offsets"),
    "delivery": (*LOW, "runtime", "partition", "offsets", "dead_letter"),
    "consumer": (*LOW, "runtime", "partition", "offsets", "dead_letter", "delivery"),
    "dry_run": (
        *LOW,
        "runtime",
        "handler",
        "partition/message.h",
        "offsets/gap.h",
        "offsets/seek.h",
        "offsets/start_choice.h",
    ),
    "first_look": (*LOW, "runtime"),
    "api": (
        *LOW,
        "handler/handler.h",
        "dry_run/dry_run.h",
        "first_look/look.h",
        "runtime/answer.h",
        "runtime/bgw.h",
        "runtime/kafka_library.h",
        "runtime/resting_state.h",
        "metrics/metrics.h",
    ),
}
# Headers in src itself, which hold names, limits, settings and version differences.
COMMON = {"burrow.h", "guc.h", "compat.h"}

FILE_LINES, HEADER_LINES, FUNCTION_LINES = 700, 250, 80


def blanked(text):
    """The text with comments and strings blanked; lines stay where they are."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)


class Source:
    """A .c or .h file: what it includes, defines and calls."""

    def __init__(self, path):
        self.path = path
        self.name = str(path.relative_to(SRC))
        self.folder = path.parent.name if path.parent != SRC else ""
        self.stem = path.stem
        self.text = path.read_text()
        self.code = blanked(self.text)
        self.lines = self.text.count("\n")
        self.includes = [
            (self.text.count("\n", 0, m.start()) + 1, m.group(1))
            for m in re.finditer(r'(?m)^\s*#\s*include\s+"([^"]+)"', self.text)
            if (SRC / m.group(1)).is_file()
        ]

    def functions(self):
        """(line, name, lines, is it static) of each function that is defined here."""
        lines = self.code.split("\n")
        for start, line in enumerate(lines):
            match = re.match(r"(\w+)\(", line)
            if not match or start == 0:
                continue
            end = start
            while end < len(lines) and not re.search(r"[;{]|^}", lines[end]):
                end += 1
            if end == len(lines) or ";" in lines[end]:
                continue
            while end < len(lines) and not lines[end].startswith("}"):
                end += 1
            yield start + 1, match.group(1), end - start + 1, lines[start - 1].startswith("static")

    def node(self):
        """A file and its header are one."""
        return f"{self.folder}/{self.stem}" if self.folder else self.stem


def sources():
    return [Source(path) for path in sorted([*SRC.glob("*.[ch]"), *SRC.glob("*/*.[ch]")])]


def may_include(folder, header):
    other = header.rsplit("/", 1)[0] if "/" in header else ""
    if other == "":
        return folder != "core" and header in COMMON
    allowed = FOLDERS[folder]
    return other == folder or other in allowed or header in allowed


def graph(files):
    """Who needs whom: node -> the nodes that it includes, or of which it calls a function."""
    defined = {}
    for file in files:
        if file.path.suffix == ".c":
            for _, function, _, static in file.functions():
                if function.startswith("burrow_") and not static:
                    defined[function] = file.node()
    edges = {file.node(): set() for file in files}
    for file in files:
        if not file.folder:
            continue  # what is in src itself is known to all, and knows all
        for _, header in file.includes:
            other = header.removesuffix(".h")
            if "/" in other:
                edges[file.node()].add(other)
        if file.path.suffix == ".c":
            for function in set(re.findall(r"\bburrow_\w+", file.code)):
                if function in defined:
                    edges[file.node()].add(defined[function])
    for node, others in edges.items():
        others.discard(node)
    return edges


def circles(edges):
    """The sets of nodes that reach each other (Tarjan, 1972)."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        for other in sorted(edges.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on_stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = set()
            while True:
                other = stack.pop()
                on_stack.discard(other)
                component.add(other)
                if other == node:
                    break
            if len(component) > 1:
                found.append(component)

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return found


def fits(function, file):
    """Does the name of a public function say which file it is in?"""
    if file.folder == "api":
        return function.startswith("burrow_sql_") or function.startswith(f"burrow_{file.stem}")
    if file.folder in ("kafka", "http"):
        return function.startswith(f"burrow_{file.folder}_")
    # a file that is named for several of a thing: option_find() is in options.c
    return re.match(rf"burrow_({file.stem}|{file.stem.removesuffix('s')})(_|$)", function) is not None


# Declared where they are not defined: what the files of kafka/ share, and the entries of processes.
SHARED_HEADER = "kafka/internal.h"
ENTRIES_HEADER = "runtime/bgw.h"


def strange_headers(files):
    """(header, line, function, its file) of each public function that its own header does not declare."""
    defined = {}
    for file in files:
        if file.path.suffix == ".c":
            defined.update({name: file for _, name, _, static in file.functions() if not static})
    for file in files:
        if file.path.suffix != ".h" or file.name == SHARED_HEADER:
            continue
        for match in re.finditer(r"(?m)^extern [^;{=]*?\b(burrow_\w+)\s*\(", file.code):
            home = defined.get(match.group(1))
            if home is None or home.node() == file.node():
                continue
            if file.name != ENTRIES_HEADER or not match.group(1).endswith("_main"):
                yield file.path, file.code.count("\n", 0, match.start()) + 1, match.group(1), home.name


def findings():
    """(kind, text as it stands in the list, path, line, what is said of it)."""
    files = sources()
    for path, number, function, home in strange_headers(files):
        yield "header", f"{path.name} {function}", path, number, f"{function}() is {home}'s, declare it in its header"
    for file in files:
        if file.folder and file.folder not in FOLDERS:
            yield "folder", file.folder, file.path, 1, f"src/{file.folder} is not in the table of folders"
            continue
        for number, header in file.includes if file.folder else ():
            if not may_include(file.folder, header):
                yield (
                    "include",
                    f"{file.name} {header}",
                    file.path,
                    number,
                    f"src/{file.folder} must not include {header}",
                )
        if file.path.suffix == ".c" and file.lines > FILE_LINES:
            yield "size", file.name, file.path, 1, f"{file.lines} lines, more than {FILE_LINES}"
        if file.path.suffix == ".h" and file.lines > HEADER_LINES:
            yield "size", file.name, file.path, 1, f"{file.lines} lines, more than {HEADER_LINES}"
        if file.path.suffix != ".c":
            continue
        for number, function, lines, static in file.functions():
            if lines > FUNCTION_LINES:
                yield (
                    "length",
                    f"{file.name} {function}",
                    file.path,
                    number,
                    f"{function}() has {lines} lines, more than {FUNCTION_LINES}",
                )
            if file.folder and not static and function.startswith("burrow_") and not fits(function, file):
                yield (
                    "name",
                    f"{file.name} {function}",
                    file.path,
                    number,
                    f"{function}() is not named for {file.stem}.c",
                )
    for circle in circles(graph(files)):
        for node in sorted(circle):
            yield "circle", node, SRC, 1, f"{node} is in a circle of {len(circle)} files"


def struct_body(path, struct):
    """(text of the struct's declaration without comments, the comment that stands before it)."""
    match = re.search(
        rf"(?:/\*((?:(?!\*/).)*)\*/\n)?(?:typedef )?struct {struct}\n\{{(.*?)\n\}}", path.read_text(), re.S
    )
    return re.sub(r"/\*.*?\*/", "", match.group(2), flags=re.S), match.group(1) or ""


def fields(body):
    return re.findall(r"(\w+)(?:\[[^\]]*\])?;", body)


def writes(file, target):
    """Line numbers where what the expression names is assigned to or counted."""
    for match in re.finditer(rf"{target}\b\s*(?:[-+|&]?=(?!=)|\+\+|--)|(?:\+\+|--){target}\b", file.code):
        yield file.code.count("\n", 0, match.start()) + 1


def groups():
    """What modules know of a partition: the group's name, its fields, and the file that the comment
    of its type says is the owner."""
    members = dict(
        re.findall(r"\n\t(BurrowPartition\w+) (\w+);", struct_body(SRC / "partition/partition.h", "BurrowPartition")[0])
    )
    header = SRC / "partition" / "groups.h"
    for struct, member in members.items():
        if f"struct {struct}\n" in header.read_text():
            body, comment = struct_body(header, struct)
            owner = re.search(r"(\w+/\w+)\.c's", comment)
            yield member, fields(body), owner.group(1) if owner else None


def partition_fields(files):
    """Writes to what of a partition is in no group, by another file than partition/partition.c and the one that
    the field's comment names."""
    header = SRC / "partition" / "partition.h"
    a_partition = r"\b(?:part|parts\[\w+\]|letters|host|other)->"
    for field in fields(struct_body(header, "BurrowPartition")[0]):
        said = re.search(rf"\b{field};\s*/\*((?:(?!\*/).)*)\*/", header.read_text(), re.S)
        owner = re.search(r"(\w+/\w+)\.c's", said.group(1)) if said else None
        owners = {"partition/partition", owner.group(1) if owner else ""}
        for file in files:
            if file.node() not in owners:
                for line in writes(file, rf"{a_partition}{field}"):
                    yield (
                        file.path,
                        line,
                        f"{field} of a partition is {owner.group(1) if owner else 'partition/partition'}.c's to write",
                    )
    for file in files:
        for match in re.finditer(r"burrow_offset_set_(?:add|union|remove_below|reset)\(&\w+->skip\b", file.code):
            if file.node() != "partition/partition":
                line = file.code.count("\n", 0, match.start()) + 1
                yield file.path, line, "skip of a partition is partition/partition.c's to write"


def shared_state():
    """Fields of the consumer's context, and of a lane, with more than one writer, and writes to a partition's fields
    and groups by another file than their owner; partition/partition.c makes partitions."""
    files = [
        file for file in sources() if file.folder in ("partition", "offsets", "dead_letter", "delivery", "consumer")
    ]
    for field in fields(struct_body(SRC / "partition" / "context.h", "BurrowConsumer")[0]):
        found = {file.node(): (file, line) for file in files for line in writes(file, rf"\b(?:c|consumer)->{field}")}
        if len(found) > 1:
            for file, line in found.values():
                yield file.path, line, f"{field} of the consumer's context is written by {', '.join(sorted(found))}"
    for field in fields(struct_body(SRC / "delivery" / "pool.h", "BurrowLane")[0]):
        found = {
            file.node(): (file, line)
            for file in files
            for line in writes(file, rf"\blane->{field}(?:\.\w+|\[[^]]*\])*")
        }
        if len(found) > 1 and field not in ("messages", "failures"):  # arrays that are filled and emptied
            for file, line in found.values():
                yield file.path, line, f"{field} of a lane is written by {', '.join(sorted(found))}"
    yield from partition_fields(files)
    for member, names, owner in groups():
        if owner is None:
            yield SRC / "partition" / "groups.h", 1, f"no comment says whose the group {member} is"
            continue
        for file in files:
            if file.node() not in (owner, "partition/partition"):
                for line in writes(file, rf"(?:\w+(?:\[\w+\])?->)+{member}\.(?:{'|'.join(names)})"):
                    yield file.path, line, f"{member} of a partition is {owner}.c's to write"


def known():
    """The list: (kind, text) -> its line."""
    entries = {}
    for number, line in enumerate(KNOWN.read_text().splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            kind, text = line.split(" ", 1)
            entries[(kind, text)] = number
    return entries


def violations(kinds):
    """What is found and not listed, and what is listed and not found."""
    listed = {key: number for key, number in known().items() if key[0] in kinds}
    seen = set()
    for kind, text, path, number, said in findings():
        if kind in kinds:
            seen.add((kind, text))
            if (kind, text) not in listed:
                yield path, number, said
    for key, number in listed.items():
        if key not in seen:
            yield KNOWN, number, f"no longer found, take it off the list: {' '.join(key)}"


def table():
    """The table of folders as src/README.md prints it: folder, what it may include."""
    for folder, allowed in FOLDERS.items():
        yield (
            f"`{folder}/`",
            ", ".join(f"`{a}`" if a.endswith(".h") else f"`{a}/`" for a in allowed) or "C headers only",
        )
