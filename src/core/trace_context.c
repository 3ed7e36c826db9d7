/*
 * trace_context.c
 *	  The trace that a message belongs to.
 */
#include <string.h>

#include "core/trace_context.h"

/* Where its fields begin: version-trace-parent-flags. */
#define TRACE			3
#define PARENT			36
#define FLAGS			53
#define LENGTH			55

#define MOST_MEMBERS	32		/* of a tracestate */
#define MOST_OF_MEMBER	256		/* characters of a key, and of a value */

static bool
is_lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool
is_hex(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		if (!is_lower_or_digit(p[i]) || p[i] > 'f')
			return false;
	}
	return true;
}

static bool
is_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		if (p[i] != '0')
			return false;
	}
	return true;
}

bool
burrow_trace_context_read_parent(const char *text, size_t len, char *parent)
{
	if (len < LENGTH || !is_hex(text, 2) || memcmp(text, "ff", 2) == 0)
		return false;
	/* later versions may go on after that, behind another dash */
	if (len > LENGTH && (memcmp(text, "00", 2) == 0 || text[LENGTH] != '-'))
		return false;
	if (text[TRACE - 1] != '-' || text[PARENT - 1] != '-' || text[FLAGS - 1] != '-')
		return false;
	if (!is_hex(text + TRACE, PARENT - 1 - TRACE) || !is_hex(text + PARENT, FLAGS - 1 - PARENT) || !is_hex(text + FLAGS, 2))
		return false;
	if (is_zero(text + TRACE, PARENT - 1 - TRACE) || is_zero(text + PARENT, FLAGS - 1 - PARENT))
		return false;

	memcpy(parent, text, LENGTH);
	memcpy(parent, "00", 2);
	parent[LENGTH] = '\0';
	return true;
}

/* key=value, without what surrounds it. */
static bool
is_member(const char *p, const char *end)
{
	const char *value = memchr(p, '=', (size_t) (end - p));

	if (value == NULL || value == p || value - p > MOST_OF_MEMBER || !is_lower_or_digit(*p))
		return false;
	for (; p < value; p++)
	{
		if (!is_lower_or_digit(*p) && (*p == '\0' || strchr("_-*/@", *p) == NULL))
			return false;
	}
	value++;
	if (value == end || end - value > MOST_OF_MEMBER)
		return false;
	for (; value < end; value++)
	{
		if (*value < ' ' || *value > '~' || *value == '=')
			return false;
	}
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool
burrow_trace_context_read_state(const char *text, size_t len, char *state)
{
	const char *end = text + len;
	const char *p = text;

	if (len >= BURROW_TRACE_STATE_SIZE)
		return false;
	for (int n = 1;; n++)
	{
		const char *comma = memchr(p, ',', (size_t) (end - p));
		const char *last = comma != NULL ? comma : end;

		if (n > MOST_MEMBERS)
			return false;
		while (p < last && is_blank(*p))
			p++;
		while (p < last && is_blank(last[-1]))
			last--;
		/* one may be empty */
		if (p < last && !is_member(p, last))
			return false;
		if (comma == NULL)
			break;
		p = comma + 1;
	}
	memcpy(state, text, len);
	state[len] = '\0';
	return true;
}

static bool
is_named(const BurrowHeaderView *header, const char *name, size_t len)
{
	return header->name_len == len && memcmp(header->name, name, len) == 0;
}

bool
burrow_trace_context_find(const BurrowMessageView *message, BurrowTraceContext *trace)
{
	const char *p = message->headers;
	const char *end = p + message->header->headers_len;
	BurrowHeaderView parent = {.value = NULL};
	BurrowHeaderView state = {.value = NULL};

	for (uint32_t i = 0; i < message->header->nheaders; i++)
	{
		BurrowHeaderView header;

		if (!burrow_frame_get_header(&p, end, &header))
			return false;
		if (is_named(&header, "traceparent", strlen("traceparent")))
			parent = header;
		else if (is_named(&header, "tracestate", strlen("tracestate")))
			state = header;
	}
	if (parent.value == NULL || !burrow_trace_context_read_parent(parent.value, (size_t) parent.value_len, trace->parent))
		return false;
	if (state.value == NULL || !burrow_trace_context_read_state(state.value, (size_t) state.value_len, trace->state))
		trace->state[0] = '\0';
	return true;
}
