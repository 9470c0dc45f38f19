#!/usr/bin/env python3
"""Chooses a small corpus: minimise.py TARGET FOLDER... replaces corpus/TARGET by at most 300 files from it and the folders.

The fuzzer says which features (an edge of the program, and roughly how often it was taken) each file reaches; files
are taken by how much they add for their size, first until every edge is reached or 240 are taken, then for features.
Files of corpus/TARGET that are named in kept.txt, the findings and what was written by hand, stay in any case.
Needs the target to be built: cargo +nightly fuzz build --sanitizer none TARGET
"""

import hashlib
import heapq
import pathlib
import subprocess
import sys
import tempfile

MOST, MOST_FOR_EDGES, LONGEST = 300, 240, 2048
HERE = pathlib.Path(__file__).resolve().parent


def features(target, folders):
    """What each file reaches, as libFuzzer's merge notes it."""
    with tempfile.TemporaryDirectory() as folder:
        control, merged = f"{folder}/control", f"{folder}/merged"
        pathlib.Path(merged).mkdir()
        binary = HERE / "target/x86_64-unknown-linux-gnu/release" / target
        options = ["-set_cover_merge=1", f"-max_len={LONGEST}", f"-merge_control_file={control}"]
        subprocess.run([binary, *options, merged, *folders], check=True, stderr=subprocess.DEVNULL)
        lines = pathlib.Path(control).read_text().splitlines()
    count = int(lines[0])
    files = [pathlib.Path(name) for name in lines[2 : 2 + count]]
    found = {}
    for kind, number, *numbers in (line.split() for line in lines[2 + count :] if line.startswith("FT ")):
        file = files[int(number)]
        if file.stat().st_size <= LONGEST:
            found[file] = set(map(int, numbers))
    return found


def take(chosen, reached_by, most):
    """Adds those that add most for their size."""
    reached = set().union(*(reached_by[file] for file in chosen))

    def gain(file):
        return len(reached_by[file] - reached) / (file.stat().st_size + 400) ** 0.5

    # Gains only fall, so one that is still the highest when it is counted anew is the highest of all.
    heap = [(-gain(file), file) for file in sorted(reached_by)]
    heapq.heapify(heap)
    while heap and len(chosen) < most:
        _, file = heapq.heappop(heap)
        now = gain(file)
        if heap and now < -heap[0][0]:
            heapq.heappush(heap, (-now, file))
        elif now > 0:
            chosen.append(file)
            reached |= reached_by[file]


def main(target, *folders):
    corpus = HERE / "corpus" / target
    reached = features(target, [*folders, corpus])
    edges = {file: {number // 8 for number in numbers} for file, numbers in reached.items()}
    kept = (HERE / "kept.txt").read_text().split()
    chosen = [file for file in corpus.iterdir() if f"{target}/{file.name}" in kept and file in reached]
    take(chosen, edges, MOST_FOR_EDGES)
    take(chosen, reached, MOST)
    contents = [file.read_bytes() for file in chosen]
    for file in corpus.iterdir():
        if f"{target}/{file.name}" not in kept:
            file.unlink()
    for content in contents:
        (corpus / hashlib.sha1(content).hexdigest()).write_bytes(content)


main(*sys.argv[1:])
