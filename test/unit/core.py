"""The core modules, as the property tests call them: ctypes over libcore.so."""

import ctypes as c
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
lib = c.CDLL(os.environ.get("BURROW_UNIT_LIBRARY", os.path.join(ROOT, "build", "unit", "libcore.so")))

INT64_MAX = 2**63 - 1


def declare(result, name, *arguments):
    function = getattr(lib, name)
    function.restype = result
    function.argtypes = arguments
    return function


# ---- tracker


class Ref(c.Structure):
    _fields_ = [("segment", c.c_void_p), ("index", c.c_uint32)]


RUN_CALLBACK = c.CFUNCTYPE(None, c.c_void_p, c.c_int64, c.c_int64)
TAKEN, FULL, REPEATED, NEED_SEGMENT = range(4)
SEGMENT_SLOTS = 256
UNFLUSHED = 64
DONE = 1

tracker_new = declare(c.c_void_p, "shim_tracker_new", c.c_int64, c.c_uint64)
tracker_init = declare(None, "burrow_tracker_init", c.c_void_p, c.c_int64, c.c_uint64)
tracker_count_on = declare(None, "burrow_tracker_count_on", c.c_void_p, c.c_int64, c.c_uint64)
tracker_found_done = declare(None, "burrow_tracker_found_done", c.c_void_p, Ref)
tracker_has_room = declare(c.c_bool, "burrow_tracker_has_room", c.c_void_p)
tracker_needs_segment = declare(c.c_bool, "burrow_tracker_needs_segment", c.c_void_p)
tracker_add_segment = declare(None, "burrow_tracker_add_segment", c.c_void_p, c.c_void_p)
tracker_begin = declare(c.c_int, "burrow_tracker_begin", c.c_void_p, c.c_int64, c.POINTER(Ref))
tracker_pin = declare(None, "burrow_tracker_pin", c.c_void_p, Ref)
tracker_release = declare(None, "burrow_tracker_release", c.c_void_p, Ref)
tracker_complete = declare(None, "shim_tracker_complete", c.c_void_p, c.c_uint32, c.c_uint64)
tracker_is_done = declare(c.c_bool, "shim_tracker_is_done", c.c_void_p, c.c_uint32)
tracker_record_end = declare(None, "burrow_tracker_record_end", c.c_void_p, c.c_int64)
tracker_advance = declare(c.c_bool, "burrow_tracker_advance", c.c_void_p, c.c_uint64)
tracker_committable = declare(c.c_int64, "burrow_tracker_committable", c.c_void_p)
tracker_head = declare(c.c_int64, "burrow_tracker_head", c.c_void_p)
tracker_flush_target = declare(c.c_uint64, "burrow_tracker_flush_target", c.c_void_p)
tracker_highest_lsn = declare(c.c_uint64, "burrow_tracker_highest_lsn", c.c_void_p)
tracker_depth = declare(c.c_uint64, "burrow_tracker_depth", c.c_void_p)
tracker_oldest_pending = declare(c.c_bool, "burrow_tracker_oldest_pending", c.c_void_p, c.POINTER(c.c_int64))
tracker_each_done = declare(None, "burrow_tracker_each_done", c.c_void_p, c.c_uint64, RUN_CALLBACK, c.c_void_p)
tracker_take_free = declare(c.c_void_p, "burrow_tracker_take_free", c.c_void_p)
tracker_close = declare(c.c_bool, "burrow_tracker_close", c.c_void_p)
segment_new = declare(c.c_void_p, "shim_segment_new", c.c_uint64)
segment_handle = declare(c.c_uint64, "shim_segment_handle", c.c_void_p)
segment_free = declare(None, "shim_segment_free", c.c_void_p)

# ---- scheduler


class Item(c.Structure):
    _fields_ = [
        ("order", c.c_uint64),
        ("ordered", c.c_bool),
        ("alone", c.c_bool),
        ("kind", c.c_uint8),
        ("bytes", c.c_uint32),
        ("next", c.c_void_p),
        ("partition", c.c_void_p),
        ("record", c.c_void_p),
        ("arrival", c.c_uint64),
    ]


class Limits(c.Structure):
    _fields_ = [("messages", c.c_uint32), ("bytes", c.c_uint64)]


DROP_CALLBACK = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p)

sched_new = declare(c.c_void_p, "shim_sched_new")
sched_destroy = declare(None, "burrow_scheduler_destroy", c.c_void_p)
sched_add_partition = declare(c.c_void_p, "burrow_scheduler_add_partition", c.c_void_p)
sched_remove_partition = declare(
    None, "burrow_scheduler_remove_partition", c.c_void_p, c.c_void_p, DROP_CALLBACK, c.c_void_p
)
sched_add = declare(None, "burrow_scheduler_add", c.c_void_p, c.c_void_p, c.POINTER(Item))
sched_add_first = declare(None, "burrow_scheduler_add_first", c.c_void_p, c.c_void_p, c.POINTER(Item))
sched_pick = declare(c.c_void_p, "burrow_scheduler_pick", c.c_void_p, Limits, c.POINTER(c.c_uint32))
sched_finish = declare(None, "burrow_scheduler_finish", c.c_void_p, c.POINTER(Item))
sched_put_back = declare(None, "burrow_scheduler_put_back", c.c_void_p, c.POINTER(Item))
sched_ready = declare(c.c_uint64, "burrow_scheduler_ready", c.c_void_p)
sched_blocked = declare(c.c_uint64, "burrow_scheduler_blocked", c.c_void_p)
sched_in_hand = declare(c.c_uint64, "burrow_scheduler_in_hand", c.c_void_p)
sched_partition_in_hand = declare(c.c_uint64, "burrow_scheduler_partition_in_hand", c.c_void_p)

# ---- sizer


class Sizer(c.Structure):
    _fields_ = [("message_ns", c.c_uint64), ("limit", c.c_uint32), ("price_us", c.c_uint64), ("paid_us", c.c_uint64)]


class SizerLoad(c.Structure):
    _fields_ = [("ready", c.c_uint64), ("idle", c.c_uint32), ("workers", c.c_uint32)]


sizer_took = declare(None, "burrow_sizer_took", c.POINTER(Sizer), c.c_uint64, c.c_uint32, c.c_uint32)
sizer_size = declare(c.c_uint32, "burrow_sizer_size", c.POINTER(Sizer), SizerLoad, c.c_uint64, c.c_uint32, c.c_uint32)
sizer_rolled_back = declare(None, "burrow_sizer_rolled_back", c.POINTER(Sizer), c.c_uint32, c.c_uint64, c.c_bool)
sizer_went_well = declare(None, "burrow_sizer_went_well", c.POINTER(Sizer), c.c_uint64, c.c_uint32)
sizer_batch = declare(c.c_uint32, "burrow_sizer_batch", c.POINTER(Sizer), c.c_uint64, c.c_uint32)
sizer_max_wait_us = declare(c.c_int64, "burrow_sizer_max_wait_us", c.c_int64)

# ---- parking

parking_new = declare(c.c_void_p, "shim_parking_new")
parking_free = declare(None, "shim_parking_free", c.c_void_p)
parking_count = declare(c.c_size_t, "shim_parking_count", c.c_void_p)
parking_verdict = declare(c.c_int, "shim_parking_verdict", c.c_void_p, c.c_uint64, c.c_bool)
parking_find = declare(c.c_int, "burrow_parking_find", c.c_void_p, c.c_uint64)
parking_set = declare(None, "burrow_parking_set", c.c_void_p, c.c_uint64, c.c_int)
parking_all_read = declare(None, "burrow_parking_all_read", c.c_void_p)
parking_all_done = declare(None, "burrow_parking_all_done", c.c_void_p)
parking_given_up = declare(None, "burrow_parking_given_up", c.c_void_p)

# ---- listen_address

LISTEN_MAX = 8


class ListenAddress(c.Structure):
    _fields_ = [("is_path", c.c_bool), ("host", c.c_char * 256), ("port", c.c_char * 6)]


listen_address_read = declare(
    c.c_int, "burrow_listen_address_read", c.c_char_p, c.POINTER(ListenAddress), c.POINTER(c.c_char_p)
)

# ---- histogram

HISTOGRAM_BUCKETS = 160
HISTOGRAM_BOUNDS = 17


class Histogram(c.Structure):
    _fields_ = [
        ("count", c.c_uint64 * HISTOGRAM_BUCKETS),
        ("beyond", c.c_uint64 * HISTOGRAM_BOUNDS),
        ("sum_s", c.c_uint64),
        ("sum_us", c.c_uint64),
    ]


histogram_reset = declare(None, "burrow_histogram_reset", c.POINTER(Histogram))
histogram_add = declare(None, "burrow_histogram_add", c.POINTER(Histogram), c.c_uint64)
histogram_percentile = declare(c.c_double, "burrow_histogram_percentile", c.POINTER(Histogram), c.c_double)
histogram_count = declare(c.c_uint64, "burrow_histogram_count", c.POINTER(Histogram))
histogram_cumulative = declare(None, "burrow_histogram_cumulative", c.POINTER(Histogram), c.POINTER(c.c_uint64))
histogram_bound = declare(c.c_char_p, "burrow_histogram_bound", c.c_uint)
histogram_copy = declare(None, "burrow_histogram_copy", c.POINTER(Histogram), c.POINTER(Histogram))
histogram_subtract = declare(None, "burrow_histogram_subtract", c.POINTER(Histogram), c.POINTER(Histogram))
histogram_sum = declare(c.c_double, "burrow_histogram_sum", c.POINTER(Histogram))

# ---- sizes of transactions

SIZES_BOUNDS = 10


class Sizes(c.Structure):
    _fields_ = [("count", c.c_uint64 * (SIZES_BOUNDS + 1)), ("sum", c.c_uint64)]


sizes_reset = declare(None, "burrow_sizes_reset", c.POINTER(Sizes))
sizes_add = declare(None, "burrow_sizes_add", c.POINTER(Sizes), c.c_uint32)
sizes_copy = declare(None, "burrow_sizes_copy", c.POINTER(Sizes), c.POINTER(Sizes))
sizes_cumulative = declare(None, "burrow_sizes_cumulative", c.POINTER(Sizes), c.POINTER(c.c_uint64))
sizes_bound = declare(c.c_char_p, "burrow_sizes_bound", c.c_uint)
sizes_sum = declare(c.c_uint64, "burrow_sizes_sum", c.POINTER(Sizes))

# ---- headers of dead letters


class LetterOrigin(c.Structure):
    _fields_ = [
        ("topic", c.c_char_p),
        ("partition", c.c_int32),
        ("offset", c.c_int64),
        ("timestamp_ms", c.c_int64),
        ("attempts", c.c_int32),
        ("subscription", c.c_char_p),
        ("consumer_group", c.c_char_p),
        ("handler", c.c_char_p),
        ("sqlstate", c.c_char_p),
        ("message", c.c_char_p),
        ("report", c.c_char_p),
    ]


class LetterHeader(c.Structure):
    _fields_ = [("name", c.c_char_p), ("value", c.c_void_p), ("value_len", c.c_size_t)]


LETTER_HEADERS = 24


class LetterHeaders(c.Structure):
    _fields_ = [
        ("n", c.c_int),
        ("items", LetterHeader * LETTER_HEADERS),
        ("partition_text", c.c_char * 12),
        ("offset_text", c.c_char * 21),
        ("attempts_text", c.c_char * 12),
        ("partition_bytes", c.c_char * 4),
        ("offset_bytes", c.c_char * 8),
        ("timestamp_bytes", c.c_char * 8),
    ]


letter_headers_make = declare(
    None, "burrow_letter_headers_make", c.POINTER(LetterHeaders), c.POINTER(LetterOrigin), c.c_int
)

# ---- offset sets and metadata


class Run(c.Structure):
    _fields_ = [("first", c.c_int64), ("last", c.c_int64)]


class SetStruct(c.Structure):
    _fields_ = [("runs", c.POINTER(Run)), ("nruns", c.c_size_t), ("allocated", c.c_size_t), ("resize", c.c_void_p)]


SetPointer = c.POINTER(SetStruct)

set_new = declare(SetPointer, "shim_offset_set_new")
set_reset = declare(None, "burrow_offset_set_reset", SetPointer)
set_add = declare(None, "burrow_offset_set_add", SetPointer, c.c_int64, c.c_int64)
set_add_each = declare(None, "burrow_offset_set_add_each", SetPointer, c.POINTER(c.c_int64), c.c_size_t)
set_union = declare(None, "burrow_offset_set_union", SetPointer, SetPointer)
set_remove_below = declare(None, "burrow_offset_set_remove_below", SetPointer, c.c_int64)
set_contains = declare(c.c_bool, "burrow_offset_set_contains", SetPointer, c.c_int64)
set_next_missing = declare(c.c_int64, "burrow_offset_set_next_missing", SetPointer, c.c_int64)
set_encoded_size = declare(c.c_size_t, "burrow_offset_set_encoded_size", SetPointer, c.c_int64)
set_encode = declare(c.c_size_t, "burrow_offset_set_encode", SetPointer, c.c_int64, c.c_void_p, c.c_size_t)
set_decode = declare(c.c_bool, "burrow_offset_set_decode", SetPointer, c.c_int64, c.c_char_p, c.c_size_t)
set_check = declare(c.c_bool, "burrow_offset_set_check", c.c_int64, c.c_char_p, c.c_size_t)


class OffsetSet:
    """A set that frees itself."""

    def __init__(self, runs=()):
        self.p = set_new()
        for first, last in runs:
            set_add(self.p, first, last)

    def __del__(self):
        set_reset(self.p)
        free(c.cast(self.p, c.c_void_p))

    def runs(self):
        s = self.p.contents
        return [(s.runs[i].first, s.runs[i].last) for i in range(s.nruns)]

    def encode(self, base):
        size = set_encoded_size(self.p, base)
        out = c.create_string_buffer(size + 1)
        out[size] = b"\x5a"
        assert set_encode(self.p, base, out, size) == size
        assert out[size] == b"\x5a"
        if size > 0:
            assert set_encode(self.p, base, out, size - 1) == 0
        return out.raw[:size]

    def decode(self, base, data):
        assert set_check(base, data, len(data)) == (result := set_decode(self.p, base, data, len(data)))
        return result


AT_LEAST_ONCE, EXACTLY_ONCE = range(2)


class Metadata(c.Structure):
    _fields_ = [("delivery", c.c_int), ("uuid", c.c_char * 37)]


METADATA_MIN = 49
METADATA_MAX = 32767
metadata_encode = declare(
    c.c_size_t,
    "burrow_offset_metadata_encode",
    c.POINTER(Metadata),
    SetPointer,
    c.c_int64,
    c.c_char_p,
    c.c_size_t,
    c.POINTER(c.c_bool),
)
metadata_decode = declare(
    c.c_bool, "burrow_offset_metadata_decode", c.c_char_p, c.c_size_t, c.c_int64, c.POINTER(Metadata), SetPointer
)

# ---- start position


class StartInput(c.Structure):
    _fields_ = [
        ("commit", c.c_int),
        ("committed", c.c_int64),
        ("has_row", c.c_bool),
        ("low", c.c_int64),
        ("delivery", c.c_int),
        ("group_has_others", c.c_bool),
        ("untagged_is_own", c.c_bool),
    ]


class Start(c.Structure):
    _fields_ = [("decision", c.c_int), ("offset", c.c_int64), ("kafka_runs", c.c_bool), ("log", c.c_bool)]


(COMMIT_NONE, COMMIT_UNTAGGED, COMMIT_OWN_ALO, COMMIT_OWN_EO, COMMIT_OTHER) = range(5)
(BY_OPTION, AT_BEGINNING, AT_DATABASE, AT_KAFKA, AT_LARGER, HALT) = range(6)

start_classify = declare(c.c_int, "burrow_start_position_classify", c.c_bool, c.POINTER(Metadata), c.c_char_p)
start_decide = declare(Start, "burrow_start_position_decide", c.POINTER(StartInput))


class LogBounds(c.Structure):
    _fields_ = [("low", c.c_int64), ("end", c.c_int64)]


class StartFound(c.Structure):
    _fields_ = [
        ("needs_bounds", c.c_bool),
        ("commit", c.c_int),
        ("decided", Start),
        ("start", c.c_int64),
        ("refused", c.c_size_t),
    ]


start_find = declare(
    StartFound,
    "burrow_start_position_find",
    c.POINTER(StartInput),
    c.c_char_p,
    c.c_char_p,
    c.c_size_t,
    SetPointer,
    c.POINTER(LogBounds),
    SetPointer,
)

# ---- frame


class ChunkHeader(c.Structure):
    _fields_ = [
        ("magic", c.c_uint32),
        ("nmessages", c.c_uint32),
        ("chunk", c.c_uint64),
        ("partition_slot", c.c_uint32),
        ("partition", c.c_int32),
        ("topic_len", c.c_uint32),
        ("flags", c.c_uint32),
        ("head", c.c_int64),
        ("merged_chunk", c.c_uint64),
        ("batch_size", c.c_uint32),
    ]


class MessageHeader(c.Structure):
    _fields_ = [
        ("total", c.c_uint32),
        ("flags", c.c_uint32),
        ("offset", c.c_int64),
        ("timestamp_ms", c.c_int64),
        ("order", c.c_uint64),
        ("slots", c.c_uint64),
        ("slot", c.c_uint32),
        ("attempt", c.c_uint32),
        ("key_len", c.c_uint32),
        ("value_len", c.c_uint32),
        ("nheaders", c.c_uint32),
        ("headers_len", c.c_uint32),
    ]


class MessageView(c.Structure):
    _fields_ = [
        ("header", c.POINTER(MessageHeader)),
        ("key", c.c_void_p),
        ("value", c.c_void_p),
        ("headers", c.c_void_p),
    ]


class HeaderView(c.Structure):
    _fields_ = [("name", c.c_void_p), ("name_len", c.c_uint32), ("value", c.c_void_p), ("value_len", c.c_int32)]


class Reader(c.Structure):
    _fields_ = [
        ("header", c.POINTER(ChunkHeader)),
        ("topic", c.c_void_p),
        ("p", c.c_void_p),
        ("end", c.c_void_p),
        ("left", c.c_uint32),
    ]


class ResultChunk(c.Structure):
    _fields_ = [
        ("kind", c.c_uint32),
        ("nmessages", c.c_uint32),
        ("chunk", c.c_uint64),
        ("committed_at", c.c_int64),
        ("row_bytes", c.c_uint64),
        ("busy_us", c.c_uint64),
        ("lost_us", c.c_uint64),
        ("conflict", c.c_uint32),
        ("committed", c.c_uint32),
        ("rolled_back", c.c_uint32),
        ("unused", c.c_uint32),
    ]


class ResultFailure(c.Structure):
    _fields_ = [
        ("kind", c.c_uint32),
        ("index", c.c_uint32),
        ("chunk", c.c_uint64),
        ("sqlstate", c.c_char * 6),
        ("origin", c.c_uint8),
        ("fresh", c.c_uint8),
        ("message_len", c.c_uint32),
        ("detail_len", c.c_uint32),
        ("hint_len", c.c_uint32),
        ("context_len", c.c_uint32),
    ]


CHUNK_MAGIC = 0x42554348
HAS_KEY, HAS_VALUE, HAS_TIME, ORDERED = 1, 2, 4, 8
RESULT_CHUNK, RESULT_FAILURE = 1, 2
FAILURE_TEXT_MAX = 2048
FAILURE_SIZE_MAX = c.sizeof(ResultFailure) + 4 * FAILURE_TEXT_MAX

frame_message_size = declare(c.c_size_t, "burrow_frame_message_size", c.c_size_t, c.c_size_t, c.c_size_t)
frame_key = declare(c.c_void_p, "burrow_frame_key", c.c_void_p)
frame_value = declare(c.c_void_p, "burrow_frame_value", c.c_void_p)
frame_headers = declare(c.c_void_p, "burrow_frame_headers", c.c_void_p)
frame_end_value = declare(None, "burrow_frame_end_value", c.c_void_p)
frame_header_size = declare(c.c_size_t, "burrow_frame_header_size", c.c_size_t, c.c_int64)
frame_put_header = declare(
    c.c_void_p, "burrow_frame_put_header", c.c_void_p, c.c_char_p, c.c_size_t, c.c_char_p, c.c_int64
)
frame_read_chunk = declare(c.c_bool, "burrow_frame_read_chunk", c.POINTER(Reader), c.c_void_p, c.c_size_t)
frame_next_message = declare(c.c_bool, "burrow_frame_next_message", c.POINTER(Reader), c.POINTER(MessageView))
frame_at_end = declare(c.c_bool, "burrow_frame_at_end", c.POINTER(Reader))
frame_get_header = declare(
    c.c_bool, "burrow_frame_get_header", c.POINTER(c.c_void_p), c.c_void_p, c.POINTER(HeaderView)
)
frame_put_failure = declare(
    c.c_size_t,
    "burrow_frame_put_failure",
    c.c_void_p,
    c.c_uint64,
    c.c_uint32,
    c.c_char_p,
    c.c_uint8,
    c.c_bool,
    c.c_char_p,
    c.c_char_p,
    c.c_char_p,
    c.c_char_p,
)
frame_read_result_chunk = declare(c.c_void_p, "burrow_frame_read_result_chunk", c.c_void_p, c.c_size_t)
frame_read_failure = declare(c.c_void_p, "burrow_frame_read_failure", c.c_void_p, c.c_size_t)
frame_result_kind = declare(c.c_int, "burrow_frame_result_kind", c.c_void_p, c.c_size_t)

# ---- policy and breaker

ORIGIN_HANDLER, ORIGIN_LOOKUP, ORIGIN_VALUE, ORIGIN_SESSION, ORIGIN_PROGRESS = ORIGINS = range(5)
RETRIABLE, PERMANENT, ENVIRONMENT, CONFLICT, HANDLER_INVALID, CORRUPT, SESSION = range(7)
EXPONENTIAL, LINEAR, CONSTANT = range(3)
ON_HALT, ON_DEAD_LETTER, ON_SKIP = range(3)
ACTION_RETRY, ACTION_HALT, ACTION_DEAD_LETTER, ACTION_SKIP = range(4)


class Policy(c.Structure):
    _fields_ = [
        ("max_retries", c.c_uint32),
        ("backoff", c.c_int),
        ("base_us", c.c_int64),
        ("max_us", c.c_int64),
        ("on_failure", c.c_int),
        ("permanent", c.c_char_p),
    ]


class Verdict(c.Structure):
    _fields_ = [("action", c.c_int), ("delay_us", c.c_int64)]


class Breaker(c.Structure):
    _fields_ = [
        ("errors", c.c_uint32),
        ("successes", c.c_uint64),
        ("class_", c.c_char * 3),
        ("partition", c.c_uint64),
        ("offset", c.c_int64),
        ("successes_then", c.c_uint64),
        ("wait_us", c.c_int64),
    ]


FIRST_WAIT, LONGEST_WAIT = 500_000, 30_000_000

policy_classify = declare(c.c_int, "burrow_policy_classify", c.POINTER(Policy), c.c_char_p, c.c_int)
policy_may_be_stale = declare(c.c_bool, "burrow_policy_may_be_stale", c.c_char_p, c.c_int)
policy_text_quotes_nothing = declare(c.c_bool, "burrow_policy_text_quotes_nothing", c.c_char_p)
policy_is_conflict = declare(c.c_bool, "burrow_policy_is_conflict", c.c_char_p)
policy_decide = declare(Verdict, "burrow_policy_decide", c.POINTER(Policy), c.c_int, c.c_uint32, c.c_uint64)
policy_backoff = declare(c.c_int64, "burrow_policy_backoff", c.POINTER(Policy), c.c_uint32, c.c_uint64)
breaker_success = declare(c.c_bool, "burrow_breaker_success", c.POINTER(Breaker))
breaker_error = declare(c.c_bool, "burrow_breaker_error", c.POINTER(Breaker), c.c_uint32)
breaker_environment = declare(
    c.c_bool, "burrow_breaker_environment", c.POINTER(Breaker), c.c_char_p, c.c_uint64, c.c_int64, c.c_bool, c.c_uint64
)
breaker_wait = declare(None, "burrow_breaker_wait", c.POINTER(Breaker))


class SessionBudget(c.Structure):
    _fields_ = [("full_at", c.c_int64)]


SESSION_BUDGET_US = 1_000_000

session_budget_take = declare(c.c_bool, "burrow_session_budget_take", c.POINTER(SessionBudget), c.c_uint32, c.c_int64)
session_budget_next = declare(c.c_int64, "burrow_session_budget_next", c.POINTER(SessionBudget), c.c_uint32)

# ---- the shim's own

outstanding = declare(c.c_long, "shim_outstanding")
allocations = declare(c.c_long, "shim_allocations")
free = declare(None, "shim_free", c.c_void_p)
shim_sizeof = declare(c.c_size_t, "shim_sizeof", c.c_int)

# ---- topic pattern

topic_pattern_check = declare(c.c_char_p, "burrow_topic_pattern_check", c.c_char_p, c.c_size_t, c.POINTER(c.c_size_t))
topic_pattern_is_topic = declare(c.c_bool, "burrow_topic_pattern_is_topic", c.c_char_p)
topic_pattern_matches = declare(c.c_bool, "burrow_topic_pattern_matches", c.c_char_p, c.c_size_t, c.c_char_p)

# ---- progress row


class ProgressRow(c.Structure):
    _fields_ = [
        ("merged_chunk", c.c_uint64),
        ("older_chunk", c.c_uint64),
        ("newer_chunk", c.c_uint64),
        ("newer", SetStruct),
    ]


class ProgressStep(c.Structure):
    _fields_ = [
        ("chunk", c.c_uint64),
        ("merged_chunk", c.c_uint64),
        ("head", c.c_int64),
        ("offsets", c.POINTER(c.c_int64)),
        ("noffsets", c.c_int),
    ]


KEEP_ALL, KEEP_NEWER, KEEP_NOTHING = range(3)

progress_row_init = declare(None, "shim_progress_row_init", c.POINTER(ProgressRow))
progress_row_keep = declare(c.c_int, "burrow_progress_row_keep", c.POINTER(ProgressRow), c.c_uint64)
progress_row_committed = declare(
    None, "burrow_progress_row_committed", c.POINTER(ProgressRow), c.POINTER(ProgressStep), c.c_bool
)


# ---- times

kafka_time_to_us = declare(c.c_bool, "burrow_kafka_time_to_us", c.c_int64, c.POINTER(c.c_int64))
kafka_time_from_us = declare(c.c_int64, "burrow_kafka_time_from_us", c.c_int64)

# ---- kafka_cause


class KafkaSymptom(c.Structure):
    _fields_ = [
        ("error_name", c.c_char_p),
        ("text", c.c_char_p),
        ("certificate_error", c.c_int),
        ("bootstrap_servers", c.c_char_p),
    ]


KAFKA_NCAUSES = 20
_kafka_cause = declare(c.c_int, "burrow_kafka_cause", c.POINTER(KafkaSymptom))
_kafka_cause_text = {
    what: declare(c.c_char_p, "burrow_kafka_cause_" + what, c.c_int) for what in ("name", "sqlstate", "words")
}
kafka_cause_is_refusal = declare(c.c_bool, "burrow_kafka_cause_is_refusal", c.c_int)
kafka_cause_says_more = declare(c.c_bool, "burrow_kafka_cause_says_more", c.c_int, c.c_int)


def kafka_cause(error_name, text, certificate_error, bootstrap_servers):
    encoded = [None if t is None else t.encode("latin-1", "replace") for t in (error_name, text, bootstrap_servers)]
    return _kafka_cause(KafkaSymptom(encoded[0], encoded[1], certificate_error, encoded[2]))


def kafka_cause_name(cause):
    return _kafka_cause_text["name"](cause).decode()


def kafka_cause_sqlstate(cause):
    return _kafka_cause_text["sqlstate"](cause).decode()


def kafka_cause_words(cause):
    return _kafka_cause_text["words"](cause).decode()


# ---- offsets

offset_after = declare(c.c_int64, "shim_offset_after", c.c_int64)
offset_before = declare(c.c_int64, "shim_offset_before", c.c_int64)
offset_later = declare(c.c_int64, "shim_offset_later", c.c_int64, c.c_int64)
offset_count = declare(c.c_int64, "shim_offset_count", c.c_int64, c.c_int64)

# ---- watchdog

WATCH_WELL, WATCH_ASK, WATCH_BEHIND, WATCH_STALLED = range(4)


class Watch(c.Structure):
    _fields_ = [("position", c.c_int64), ("quiet_since", c.c_int64), ("behind_since", c.c_int64)]


class WatchLook(c.Structure):
    _fields_ = [
        ("now", c.c_int64),
        ("after", c.c_int64),
        ("kept_back", c.c_bool),
        ("position", c.c_int64),
        ("end", c.c_int64),
        ("asked_at", c.c_int64),
    ]


watchdog_look = declare(c.c_int, "burrow_watchdog_look", c.POINTER(Watch), c.POINTER(WatchLook))

# ---- trace_context

TRACE_PARENT_SIZE = 56
TRACE_STATE_SIZE = 513


class TraceContext(c.Structure):
    _fields_ = [("parent", c.c_char * TRACE_PARENT_SIZE), ("state", c.c_char * TRACE_STATE_SIZE)]


trace_parent_read = declare(c.c_bool, "burrow_trace_context_read_parent", c.c_char_p, c.c_size_t, c.c_char_p)
trace_state_read = declare(c.c_bool, "burrow_trace_context_read_state", c.c_char_p, c.c_size_t, c.c_char_p)
trace_context_find = declare(c.c_bool, "burrow_trace_context_find", c.POINTER(MessageView), c.POINTER(TraceContext))

# ---- topic_id


class TopicId(c.Structure):
    _fields_ = [("text", c.c_char * 23)]


topic_id_make = declare(TopicId, "burrow_topic_id_make", c.c_uint64, c.c_uint64)
topic_id_read = declare(TopicId, "burrow_topic_id_read", c.c_char_p)
topic_id_differs = declare(c.c_bool, "burrow_topic_id_differs", c.POINTER(TopicId), c.POINTER(TopicId))
topic_id_to_keep = declare(TopicId, "burrow_topic_id_to_keep", c.POINTER(TopicId), c.POINTER(TopicId))

# ---- fair shares


class Claim(c.Structure):
    _fields_ = [
        ("id", c.c_int),
        ("role", c.c_uint32),
        ("wanted", c.c_int),
        ("held", c.c_int),
        ("served", c.c_uint64),
        ("share", c.c_int),
    ]


fair_share = declare(None, "burrow_fair_share", c.POINTER(Claim), c.c_int, c.POINTER(Claim), c.c_int, c.c_int)
