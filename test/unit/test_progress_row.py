"""What may leave a lane's row of burrow.progress."""

import ctypes as c

from hypothesis import given, strategies as st

import core


class Lane:
    """A worker's row, as the database has it, beside what is known of it."""

    def __init__(self):
        self.known = core.ProgressRow()
        core.progress_row_init(c.byref(self.known))
        self.row = {}  # offset: the chunk that it was done in
        self.moved = True  # there is no row yet
        self.chunk = 0
        self.merged_chunk = 0
        self.next_offset = 0
        self.head = 0

    def __del__(self):
        core.set_reset(c.byref(self.known.newer))

    def newer(self):
        return {
            n
            for i in range(self.known.newer.nruns)
            for n in range(self.known.newer.runs[i].first, self.known.newer.runs[i].last + 1)
        }

    def transaction(self, noffsets=1, committed=True):
        offsets = range(self.next_offset, self.next_offset + 2 * noffsets, 2)
        keep = core.KEEP_ALL
        if not self.moved:
            keep = core.progress_row_keep(c.byref(self.known), self.merged_chunk)
        if not committed:
            return
        self.next_offset = offsets[-1] + 2
        kept = {core.KEEP_ALL: set(self.row), core.KEEP_NEWER: self.newer(), core.KEEP_NOTHING: set()}[keep]
        # what leaves the row is in a merge, or below the head
        for offset, chunk in self.row.items():
            assert offset in kept or chunk <= self.merged_chunk or offset < self.head, (
                offset,
                chunk,
                self.merged_chunk,
            )
        self.row = {o: chunk for o, chunk in self.row.items() if o in kept and o >= self.head}
        self.row.update({o: self.chunk for o in offsets})
        step = core.ProgressStep(self.chunk, self.merged_chunk, self.head, (c.c_int64 * noffsets)(*offsets), noffsets)
        core.progress_row_committed(c.byref(self.known), c.byref(step), self.moved)
        self.moved = False
        self.check()

    def check(self):
        newer = self.newer()
        assert newer <= set(self.row)
        for offset, chunk in self.row.items():
            assert chunk <= (self.known.newer_chunk if offset in newer else self.known.older_chunk)


def test_a_merge_empties_the_row():
    lane = Lane()
    lane.chunk = 1
    lane.transaction(3)
    lane.merged_chunk, lane.chunk = 1, 2
    lane.transaction()
    assert set(lane.row.values()) == {2}


def test_two_merges_later_nothing_of_before_is_left():
    lane = Lane()
    lane.chunk = 1
    lane.transaction()
    lane.chunk = 2
    lane.transaction()
    lane.merged_chunk, lane.chunk = 1, 3  # the merge was made while chunk 2 was being run
    lane.transaction()
    assert set(lane.row.values()) == {1, 2, 3}  # generations are not taken apart
    lane.merged_chunk, lane.chunk = 3, 4
    lane.transaction()
    assert set(lane.row.values()) == {4}


def test_a_row_that_moves_in_the_middle_of_a_chunk_keeps_what_the_chunk_did():
    lane = Lane()
    lane.chunk = 49
    lane.transaction()
    lane.chunk = 50
    lane.transaction()
    lane.moved = True
    lane.transaction()
    lane.merged_chunk, lane.chunk = 49, 51
    lane.transaction()
    assert set(lane.row.values()) == {49, 50, 51}


steps = st.lists(
    st.one_of(
        st.tuples(st.just("chunk"), st.booleans()),
        st.tuples(st.just("transaction"), st.integers(1, 3)),
        st.tuples(st.just("rolled back"), st.booleans()),
        st.tuples(st.just("merge"), st.booleans()),
        st.tuples(st.just("moved"), st.booleans()),
        st.tuples(st.just("head"), st.integers(0, 4)),
    ),
    max_size=60,
)


@given(steps)
def test_what_leaves_the_row_is_in_a_merge(steps):
    lane = Lane()
    merge = 0  # the last one made; it is told with the next chunk
    for what, value in [("chunk", True)] + steps:
        if what == "chunk":
            lane.chunk += 1 + value  # the others are other lanes'
            lane.merged_chunk = merge
        elif what == "transaction":
            lane.transaction(value)
        elif what == "rolled back":
            lane.transaction(committed=False)
        elif what == "merge":
            # all of the chunk is done, or it is being run
            merge = lane.chunk if value else lane.chunk - 1
        elif what == "moved":
            lane.moved = True
        else:
            lane.head = min(lane.next_offset, lane.head + value)
        # a merge of the chunk that is being run was made when that was at its end
        if what == "transaction" and merge >= lane.chunk:
            merge = lane.chunk - 1
