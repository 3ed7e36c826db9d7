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
 * Each of these takes a rule away, and must make the model fail:
 *	NO_FLUSH_GATE	Kafka's offset follows the done head, flushed or not
 *	NO_FENCE		a new consumer does not wait for the workers of the old one
 *	NO_DONE_SETS	only the lows are read at the start
 *	NO_START_FLUSH	what a new consumer stores before it begins is not flushed
 *	EARLY_HEAD		the head passes messages that were given out
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
#else
#define BLOWS		2
#endif
#define NONE		255

/* the log: a record is a worker's transaction, or the consumer's that settles the rows */
byte log_message[LOG];		/* NONE: settles */
byte log_lane[LOG];
byte log_low[LOG];
byte log_done[LOG];			/* bits */
byte logged, flushed;

/* workers */
mtype = { IDLE, IN_HAND, COMMITTED };
mtype state[WORKERS] = IDLE;
byte message[WORKERS];
byte told_head[WORKERS];
byte epoch_of[WORKERS];
byte lsn_of[WORKERS];

/* the consumer, gone when its process is */
bool alive;
byte epoch;
byte taken;					/* next message to take */
byte known;					/* bits: done before */
byte mark[MESSAGES];		/* 0 pending, 1 nothing to flush, otherwise the record's number + 2 */
byte head, durable;

byte kafka;
byte blows;

/* What the rows say when the log is replayed to its end; and scratch.  No part of a state. */
hidden byte low_0, low_1, done_0, done_1, settled_low, settled_done;
hidden byte i, low, did, count;

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
	known = did;
	taken = low; head = low; durable = low;
	i = 0;
	do
	:: i < MESSAGES -> mark[i] = 0; i++
	:: else -> break
	od;
	append(NONE, 0, low, did);
#ifndef NO_START_FLUSH
	flushed = logged;
#endif
	alive = true
}

/* The transaction of the message in a worker's hands. */
inline commit(w)
{
	replay();
	if :: w == 0 -> did = done_0 :: else -> did = done_1 fi;
	did = did | (1 << message[w]);
	lsn_of[w] = logged + 2;
	append(message[w], w, told_head[w], did);
	state[w] = COMMITTED
}

inline set_idle(w)
{
	state[w] = IDLE; message[w] = 0; told_head[w] = 0; epoch_of[w] = 0; lsn_of[w] = 0
}

/* What is not flushed is gone, and all processes. */
inline crash()
{
	do
	:: logged > flushed ->
		logged--;
		log_message[logged] = 0; log_lane[logged] = 0; log_low[logged] = 0; log_done[logged] = 0
	:: else -> break
	od;
	set_idle(0);
	set_idle(1);
	start()
}

inline give(w)
{
	state[w] = IN_HAND; message[w] = taken; epoch_of[w] = epoch;
#ifdef EARLY_HEAD
	told_head[w] = taken + 1;
#else
	told_head[w] = head;
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
	set_idle(w)
}

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

init
{
	d_step { start() }
	do
	/* the consumer */
	:: d_step { alive && taken < MESSAGES && (known & (1 << taken)) -> mark[taken] = 1; taken++ }
	:: d_step { alive && taken < MESSAGES && !(known & (1 << taken)) && state[0] == IDLE -> give(0) }
	:: d_step { alive && taken < MESSAGES && !(known & (1 << taken)) && state[1] == IDLE -> give(1) }
	:: d_step { alive && head < taken && mark[head] > 0 -> head++ }
#ifdef NO_FLUSH_GATE
	:: d_step { alive && durable < head -> durable++ }
#else
	:: d_step { alive && durable < head && mark[durable] <= flushed + 1 -> durable++ }
#endif
	:: d_step { alive && kafka < durable -> kafka = durable; check_kafka() }

	/* the workers */
	:: d_step { state[0] == IN_HAND -> commit(0) }
	:: d_step { state[1] == IN_HAND -> commit(1) }
	:: d_step { state[0] == COMMITTED -> set_mark(0) }
	:: d_step { state[1] == COMMITTED -> set_mark(1) }

	/* the walwriter */
	:: d_step { flushed < logged -> flushed++ }

	/* the server crashes */
	:: d_step { blows < BLOWS -> blows++; crash() }

	/* the consumer goes, the workers stay; then another comes */
	:: d_step { alive && blows < BLOWS -> blows++; alive = false; forget() }
#ifdef NO_FENCE
	:: d_step { !alive -> start() }
#else
	:: d_step { !alive && state[0] == IDLE && state[1] == IDLE -> start() }
#endif

	:: alive && kafka == MESSAGES && state[0] == IDLE && state[1] == IDLE -> break
	od;
	skip;

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
}
