/*
 * obstacle.c
 *	  What a partition cannot get past: a batch that cannot be read, a gap, a message too large.
 *
 * Runs in: the consumer.
 *
 * The rule: an error of a partition takes its place in the order of offsets.  What was taken before it
 * is handled as ever, nothing is taken after it, and it counts only when its turn has come; what
 * follows from it then, consumer/intake.c decides.
 *
 * How much is lost is not told with the error: of a batch, which is the smallest piece that can be
 * read or not, it names the first offset only, and the log may go on at any later one.  So that is
 * looked for: an offset lies within the same batch if whoever begins there meets the same error.
 * First in steps that double, then between the last that did and the first that did not.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "core/offset.h"
#include "partition/obstacle.h"

/* Looks in a row that told nothing, before it is given up. */
#define MAX_FAILURES		5

static BurrowObstacle *
make(BurrowObstacleKind kind, int64 offset)
{
	BurrowObstacle *o = palloc0(sizeof(BurrowObstacle));

	o->kind = kind;
	o->offset = offset;
	o->told = o->inside = offset;
	o->beyond = -1;
	o->log_start = o->log_end = -1;
	o->step = 1;
	return o;
}

BurrowObstacle *
burrow_obstacle_data(const char *topic, int32 partition, int64 position, const BurrowKafkaMessage *km)
{
	/* of a batch that begins before the position only the rest is lost */
	BurrowObstacle *o = make(BURROW_OBSTACLE_DATA, Max(position, km->offset));

	o->told = km->offset;
	o->message = psprintf("could not read offset %lld of topic \"%s\" partition %d: %s",
						  (long long) o->offset, topic, partition, km->text);
	return o;
}

BurrowObstacle *
burrow_obstacle_gap(const char *topic, int32 partition, int64 position)
{
	BurrowObstacle *o = make(BURROW_OBSTACLE_GAP, position);

	o->message = psprintf("offset %lld of topic \"%s\" partition %d is not in the topic",
						  (long long) position, topic, partition);
	return o;
}

BurrowObstacle *
burrow_obstacle_too_large(const char *topic, int32 partition, const BurrowKafkaMessage *km)
{
	BurrowObstacle *o = make(BURROW_OBSTACLE_TOO_LARGE, km->offset);

	o->message = psprintf("message at offset %lld of topic \"%s\" partition %d is too large",
						  (long long) km->offset, topic, partition);
	o->detail = psprintf("It has %zu bytes of key and %zu bytes of value.", km->key_len, km->value_len);
	o->beyond = burrow_offset_after(km->offset);
	return o;
}

const char *
burrow_obstacle_sqlstate(const BurrowObstacle *o)
{
	switch (o->kind)
	{
		case BURROW_OBSTACLE_GAP:
			return "22003";
		case BURROW_OBSTACLE_TOO_LARGE:
			return "54000";
		case BURROW_OBSTACLE_DATA:
			break;
	}
	return "XX001";
}

void
burrow_obstacle_free(BurrowObstacle *o)
{
	pfree(o->message);
	if (o->detail != NULL)
		pfree(o->detail);
	pfree(o);
}

/* The answer told nothing. */
static void
record_failure(BurrowObstacle *o)
{
	o->failures++;
	if (o->failures >= MAX_FAILURES)
		o->beyond = -1;
}

/* Does this error say that the offset that was looked at is lost with the others? */
static bool
is_same(const BurrowObstacle *o, int64 offset, const BurrowKafkaMessage *m)
{
	if (m->fault != BURROW_KAFKA_FAULT_DATA)
		return false;
	/* what the broker cannot read it tells with the offset that it was asked for */
	return m->offset == o->told || (strcmp(m->error_name, "INVALID_MSG") == 0 && m->offset == offset);
}

/* The next offset to look at: further on, or between what is lost and what is not. */
static int64
next_offset(const BurrowObstacle *o)
{
	int64		between = burrow_offset_count(o->inside, o->beyond);

	return burrow_offset_later(o->inside, o->step < between ? o->step : between / 2);
}

bool
burrow_obstacle_question(const BurrowObstacle *o, BurrowKafkaQuestion *what, int64 *offset)
{
	*what = BURROW_KAFKA_ASK_BOUNDS;
	*offset = BURROW_KAFKA_NONE_OFFSET;
	switch (o->kind)
	{
		case BURROW_OBSTACLE_TOO_LARGE:
			return false;
		case BURROW_OBSTACLE_GAP:
			return o->log_end < 0 && o->failures == 0;
		case BURROW_OBSTACLE_DATA:
			break;
	}
	if (o->failures >= MAX_FAILURES || (o->beyond >= 0 && o->beyond <= burrow_offset_after(o->inside)))
		return false;
	/* no batch reaches beyond the end, and behind it nothing would answer */
	if (o->beyond < 0)
		return true;
	*what = BURROW_KAFKA_ASK_LOOK;
	*offset = next_offset(o);
	return true;
}

static void
take_bounds(BurrowObstacle *o, const BurrowKafkaTopicPartition *item)
{
	if (item == NULL || item->error != 0)
	{
		record_failure(o);
		return;
	}
	o->failures = 0;
	o->log_start = item->log_start;
	o->log_end = item->offset;
	if (o->kind == BURROW_OBSTACLE_DATA)
		o->beyond = Max(item->offset, burrow_offset_after(o->inside));
}

static void
take_look(BurrowObstacle *o, int64 offset, BurrowKafkaTake took, const BurrowKafkaMessage *m)
{
	switch (took)
	{
		case BURROW_KAFKA_EMPTY:
			record_failure(o);
			return;
		case BURROW_KAFKA_BROKEN:
			if (m->fault == BURROW_KAFKA_FAULT_PASSING || m->fault == BURROW_KAFKA_FAULT_GONE)
			{
				record_failure(o);
				return;
			}
			if (is_same(o, offset, m))
			{
				o->inside = offset;
				if (o->step <= PG_INT32_MAX)
					o->step *= 2;
				break;
			}
			/* another error, which has its turn later */
			/* FALLTHROUGH */
		case BURROW_KAFKA_MESSAGE:
		case BURROW_KAFKA_END:
			o->beyond = offset;
			/* now between the two */
			o->step = PG_INT64_MAX;
			break;
	}
	o->failures = 0;
}

void
burrow_obstacle_take_answer(BurrowObstacle *o, const BurrowKafkaEvent *event)
{
	const BurrowKafkaTopicPartition *item = event->error == 0 ? &event->list.items[0] : NULL;

	if (event->found == NULL)
		take_bounds(o, item);
	else
		take_look(o, item->offset, event->took, event->found);
}

int64
burrow_obstacle_end(const BurrowObstacle *o)
{
	return o->beyond;
}

BurrowHalt
burrow_obstacle_halt(const BurrowObstacle *o, const char *subscription, const char *topic, int32 partition)
{
	BurrowHalt	halt = {
		.topic = topic,
		.partition = partition,
		.offset = o->offset,
		.sqlstate = burrow_obstacle_sqlstate(o),
		.message = o->message,
		.detail = o->detail,
		.hint = "Use burrow.seek() to say where to go on.",
	};

	if (o->beyond >= 0)
	{
		halt.hint = psprintf("Resuming halts again, unless it was mended in Kafka.  To give up offsets %lld to %lld and go on behind them: SELECT burrow.seek(%s, %s, %d, %lld);",
							 (long long) o->offset, (long long) burrow_offset_before(o->beyond),
							 quote_literal_cstr(subscription), quote_literal_cstr(topic), partition, (long long) o->beyond);
		halt.remedy = BURROW_REMEDY_SEEK;
		halt.seek_to = o->beyond;
	}
	return halt;
}
