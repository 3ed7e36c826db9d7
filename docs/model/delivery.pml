/*
 * delivery.pml
 *	  A model of how a message's effect, its progress and Kafka's offset hang together.
 *
 * One partition with four messages, two workers, a consumer, a log of which a crash
 * leaves a flushed prefix, and Kafka's committed offset.  Everything that can happen
 * next is a branch of one loop, so every order is tried.  Twice, at any time, the server
 * crashes or the consumer alone ends.  With -DAT_LEAST_ONCE, where there is more to do
 * again, it is three messages and once.
 *
 * At the end all is handled, and each message must have taken effect: once (exactly
 * once), or at least once with -DAT_LEAST_ONCE, where the start is Kafka's offset.  At
 * all times what lies below Kafka's offset must be in the flushed log.
 *
 * With -DFOLDS a worker is given two messages at once, each of which has a transaction of its
 * own, the consumer makes folds, and a worker's row moves now and then (VACUUM FULL), so
 * that what is known of it has to be learnt anew (src/core/progress_row.h).  There the log is
 * left out, as its histories would be too many, and with it what is lost of it, and Kafka:
 * what a crash leaves is what the rows said at some moment before, so it is enough that at all
 * times each message whose transaction was committed is done by what the rows say.
 *
 * Each of these takes a rule away, and must make the model fail:
 *	NO_FLUSH_GATE	Kafka's offset follows the done head, flushed or not
 *	NO_FENCE		a new consumer does not wait for the workers of the old one
 *	NO_DONE_SETS	only the lows are read at the start
 *	NO_START_FLUSH	what a new consumer stores before it begins is not flushed
 *	EARLY_HEAD		the head passes messages that were given out
 * and these, with FOLDS:
 *	MOVED_IN_A_CHUNK	a row that has moved is taken to have nothing of the chunk that runs
 *	FOLD_OF_A_CHUNK	a fold is taken to have all of the chunk that runs
 */
#ifdef AT_LEAST_ONCE
#define MESSAGES	3
#else
#define MESSAGES	4
#endif
#define WORKERS		2
#define LOG			16		/* more than twice all messages and three starts need */
#ifdef AT_LEAST_ONCE
#define BLOWS		1
#elif defined(FOLDS)
#define BLOWS		1
#else
#define BLOWS		2
#endif
#define MAX_FOLDS	2
#define MAX_MOVES	1
#define NONE		255
#define FOLD		254

#ifdef FOLDS
/* What the rows say, and which messages took effect, by bits. */
byte low_0, low_1, done_0, done_1, settled_low, settled_done;
byte committed;
hidden byte i, low, did, count;
#else
/* the log: a record is a worker's transaction, or the consumer's that settles the rows */
byte log_message[LOG];		/* NONE: settles */
byte log_lane[LOG];
byte log_low[LOG];
byte log_done[LOG];			/* bits */
byte logged, flushed;

/* What the rows say when the log is replayed to its end; and scratch.  No part of a state. */
hidden byte low_0, low_1, done_0, done_1, settled_low, settled_done;
hidden byte i, low, did, count;
#endif

/* workers */
mtype = { IDLE, IN_HAND, COMMITTED };
mtype state[WORKERS] = IDLE;
byte message[WORKERS];
byte told_head[WORKERS];
byte epoch_of[WORKERS];
byte lsn_of[WORKERS];

#ifdef FOLDS
byte left[WORKERS];			/* messages of the chunk behind the one in hand */
byte chunk_of[WORKERS];
byte told_fold[WORKERS];
/* what is known of the row */
bool known_row[WORKERS];
byte acted_on[WORKERS];
byte older_chunk[WORKERS], newer_chunk[WORKERS];
byte newer[WORKERS];		/* bits */
/* the consumer's */
byte chunk;					/* the last one given */
byte fold_of[WORKERS];		/* the lane's chunks up to this one are in the last fold */
byte folds, moves;
#endif

/* the consumer, gone when its process is */
bool alive;
byte epoch;
byte taken;					/* next message to take */
byte known;					/* bits: done before */
byte mark[MESSAGES];		/* 0 pending, 1 nothing to flush, otherwise the record's number + 2 */
byte head, durable;

byte kafka;
byte blows;

#ifdef FOLDS
inline replay()
{
	skip
}

inline append(m, lane, l, d)
{
	if
	:: m == NONE ->
		settled_low = l; settled_done = d;
		low_0 = 0; done_0 = 0;
		low_1 = 0; done_1 = 0
	:: m == FOLD -> settled_low = l; settled_done = d
	:: else ->
		if
		:: lane == 0 -> low_0 = l; done_0 = d
		:: else -> low_1 = l; done_1 = d
		fi;
		assert(!(committed & (1 << m)));
		committed = committed | (1 << m)
	fi;
	/* what a new consumer would read */
	count = settled_done | done_0 | done_1;
	i = 0;
	do
	:: i < MESSAGES ->
		assert(i < settled_low || i < low_0 || i < low_1 || (count & (1 << i)) || !(committed & (1 << i)));
		i++
	:: else -> break
	od;
	skip
}
#else
inline replay()
{
	settled_low = 0; settled_done = 0;
	low_0 = 0; done_0 = 0;
	low_1 = 0; done_1 = 0;
	i = 0;
	do
	:: i < logged ->
		if
		:: log_message[i] == NONE ->
			settled_low = log_low[i]; settled_done = log_done[i];
			low_0 = 0; done_0 = 0;
			low_1 = 0; done_1 = 0
		:: else ->
			if
			:: log_lane[i] == 0 -> low_0 = log_low[i]; done_0 = log_done[i]
			:: else -> low_1 = log_low[i]; done_1 = log_done[i]
			fi
		fi;
		i++
	:: else -> break
	od
}

inline append(m, lane, l, d)
{
	log_message[logged] = m; log_lane[logged] = lane; log_low[logged] = l; log_done[logged] = d;
	logged++
}
#endif

/* The consumer's memory is gone. */
inline forget()
{
	taken = 0; head = 0; durable = 0; known = 0;
	i = 0;
	do
	:: i < MESSAGES -> mark[i] = 0; i++
	:: else -> break
	od;
	skip
}

#ifdef FOLDS
inline forget_row(w)
{
	known_row[w] = false; acted_on[w] = 0; older_chunk[w] = 0; newer_chunk[w] = 0; newer[w] = 0
}

/* What the row keeps: in did is what it has. */
inline keep(w)
{
	if
	:: !known_row[w] || told_fold[w] == 0 || told_fold[w] < older_chunk[w]
	:: else ->
		if
		:: told_fold[w] < newer_chunk[w] -> did = newer[w]
		:: else -> did = 0
		fi
	fi
}

/* And what is known of it after the commit. */
inline learn(w)
{
	if
	:: !known_row[w] ->
#ifdef MOVED_IN_A_CHUNK
		older_chunk[w] = chunk_of[w] - 1;
#else
		older_chunk[w] = chunk_of[w];
#endif
		newer[w] = 0
	:: known_row[w] && told_fold[w] > acted_on[w] ->
		if
		:: told_fold[w] < newer_chunk[w] -> older_chunk[w] = newer_chunk[w]
		:: else -> older_chunk[w] = 0
		fi;
		newer[w] = 0
	:: else
	fi;
	known_row[w] = true;
	acted_on[w] = told_fold[w];
	newer_chunk[w] = chunk_of[w];
	newer[w] = newer[w] | (1 << message[w])
}

inline note_chunk(w)
{
#ifdef FOLD_OF_A_CHUNK
	fold_of[w] = chunk
#else
	if
	:: state[w] == IDLE -> fold_of[w] = chunk
	:: else -> fold_of[w] = chunk_of[w] - 1
	fi
#endif
}

/* What is done, marks say, goes into the consumer's row. */
inline fold()
{
	did = known;
	i = 0;
	do
	:: i < MESSAGES -> if :: mark[i] > 0 -> did = did | (1 << i) :: else fi; i++
	:: else -> break
	od;
	append(FOLD, 0, head, did);
	note_chunk(0);
	note_chunk(1);
	folds++
}
#endif

/* A new consumer: an epoch begins. */
inline start()
{
	replay();
	low = settled_low;
	did = settled_done | done_0 | done_1;
	if :: low_0 > low -> low = low_0 :: else fi;
	if :: low_1 > low -> low = low_1 :: else fi;
#ifdef NO_DONE_SETS
	did = 0;
#endif
#ifdef AT_LEAST_ONCE
	low = kafka; did = 0;
#endif
	epoch++;
#ifdef FOLDS
	/* a new consumer has new workers */
	chunk = 0; fold_of[0] = 0; fold_of[1] = 0;
	forget_row(0); forget_row(1);
#endif
	known = did;
	taken = low; head = low; durable = low;
	i = 0;
	do
	:: i < MESSAGES -> mark[i] = 0; i++
	:: else -> break
	od;
	append(NONE, 0, low, did);
#if !defined(NO_START_FLUSH) && !defined(FOLDS)
	flushed = logged;
#endif
	alive = true
}

/* The transaction of the message in a worker's hands. */
inline commit(w)
{
	replay();
	if :: w == 0 -> did = done_0 :: else -> did = done_1 fi;
#ifdef FOLDS
	keep(w);
	learn(w);
#endif
	did = did | (1 << message[w]);
#ifdef FOLDS
	lsn_of[w] = 1;
#else
	lsn_of[w] = logged + 2;
#endif
	append(message[w], w, told_head[w], did);
	state[w] = COMMITTED
}

inline set_idle(w)
{
	state[w] = IDLE; message[w] = 0; told_head[w] = 0; epoch_of[w] = 0; lsn_of[w] = 0;
#ifdef FOLDS
	left[w] = 0; chunk_of[w] = 0; told_fold[w] = 0;
#endif
	skip
}

/* What is not flushed is gone, and all processes. */
inline crash()
{
#ifndef FOLDS
	do
	:: logged > flushed ->
		logged--;
		log_message[logged] = 0; log_lane[logged] = 0; log_low[logged] = 0; log_done[logged] = 0
	:: else -> break
	od;
#endif
	set_idle(0);
	set_idle(1);
	start()
}

inline give(w, more)
{
	state[w] = IN_HAND; message[w] = taken; epoch_of[w] = epoch;
#ifdef EARLY_HEAD
	told_head[w] = taken + 1;
#else
	told_head[w] = head;
#endif
#ifdef FOLDS
	chunk++;
	chunk_of[w] = chunk; told_fold[w] = fold_of[w];
	left[w] = more;
	taken = taken + more;
#endif
	taken++
}

/* A mark of an older epoch reaches nothing. */
inline set_mark(w)
{
	if
	:: alive && epoch_of[w] == epoch -> mark[message[w]] = lsn_of[w]
	:: else
	fi;
#ifdef FOLDS
	if
	:: left[w] > 0 -> left[w]--; message[w]++; lsn_of[w] = 0; state[w] = IN_HAND
	:: else -> set_idle(w)
	fi
#else
	set_idle(w)
#endif
}

#ifndef FOLDS
inline check_kafka()
{
	low = 0;
	do
	:: low < kafka ->
		i = 0; count = 0;
		do
		:: i < flushed -> if :: log_message[i] == low -> count++ :: else fi; i++
		:: else -> break
		od;
		assert(count > 0);
		low++
	:: else -> break
	od;
	skip
}

#endif

init
{
	d_step { start() }
	do
	/* the consumer */
	:: d_step { alive && taken < MESSAGES && (known & (1 << taken)) -> mark[taken] = 1; taken++ }
	:: d_step { alive && taken < MESSAGES && !(known & (1 << taken)) && state[0] == IDLE -> give(0, 0) }
	:: d_step { alive && taken < MESSAGES && !(known & (1 << taken)) && state[1] == IDLE -> give(1, 0) }
#ifdef FOLDS
	:: d_step { alive && taken + 1 < MESSAGES && !(known & (3 << taken)) && state[0] == IDLE -> give(0, 1) }
	:: d_step { alive && taken + 1 < MESSAGES && !(known & (3 << taken)) && state[1] == IDLE -> give(1, 1) }
#endif
	:: d_step { alive && head < taken && mark[head] > 0 -> head++ }
#ifndef FOLDS
#ifdef NO_FLUSH_GATE
	:: d_step { alive && durable < head -> durable++ }
#else
	:: d_step { alive && durable < head && mark[durable] <= flushed + 1 -> durable++ }
#endif
	:: d_step { alive && kafka < durable -> kafka = durable; check_kafka() }
#endif

	/* the workers */
	:: d_step { state[0] == IN_HAND -> commit(0) }
	:: d_step { state[1] == IN_HAND -> commit(1) }
	:: d_step { state[0] == COMMITTED -> set_mark(0) }
	:: d_step { state[1] == COMMITTED -> set_mark(1) }

#ifdef FOLDS
	:: d_step { alive && folds < MAX_FOLDS -> fold() }
	:: d_step { moves < MAX_MOVES && known_row[0] -> moves++; known_row[0] = false }
	:: d_step { moves < MAX_MOVES && known_row[1] -> moves++; known_row[1] = false }
	:: alive && head == MESSAGES && state[0] == IDLE && state[1] == IDLE -> break
#else
	/* the walwriter */
	:: d_step { flushed < logged -> flushed++ }
	:: alive && kafka == MESSAGES && state[0] == IDLE && state[1] == IDLE -> break
#endif

	/* the server crashes */
	:: d_step { blows < BLOWS -> blows++; crash() }

	/* the consumer goes, the workers stay; then another comes */
	:: d_step { alive && blows < BLOWS -> blows++; alive = false; forget() }
#ifdef NO_FENCE
	:: d_step { !alive -> start() }
#else
	:: d_step { !alive && state[0] == IDLE && state[1] == IDLE -> start() }
#endif
	od;
	skip;

#ifndef FOLDS
	d_step {
		low = 0;
		do
		:: low < MESSAGES ->
			i = 0; count = 0;
			do
			:: i < logged -> if :: log_message[i] == low -> count++ :: else fi; i++
			:: else -> break
			od;
			assert(count > 0);
#ifndef AT_LEAST_ONCE
			assert(count == 1);
#endif
			low++
		:: else -> break
		od;
		skip
	}
#endif
}
