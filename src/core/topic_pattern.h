/*
 * topic_pattern.h
 *	  What a topic may be called, and the regular expressions that may choose topics: a subset that is
 *	  safe to compile and match.
 *
 * librdkafka gives such an expression to the C library's regcomp() and regexec(), inside the
 * server, where deep nesting overflows the stack, repeated repetition takes gigabytes and a
 * back-reference does not end; none of them can be interrupted.  So an expression is parsed here
 * first, and is taken only if it is in a subset of POSIX extended expressions in which none of
 * that can be written:
 *
 *		x  .  [abc]  [^a-z]  [[:alnum:]]  \.	one character
 *		^  $									the name's beginning and end
 *		ab  a|b  (a)							BURROW_TOPIC_PATTERN_DEPTH groups within each other
 *		a*  a+									of what has no repetition and no ? in it
 *		a?										of anything but a repetition itself
 *
 * There is no counted repetition and no back-reference, and alternatives are not empty.  Within
 * the subset the meaning is POSIX's, so matching here and matching by regexec() agree (shown by
 * test/unit/test_topic_pattern.py).
 *
 * Matching follows all ways through the expression at once (Thompson, "Regular expression search
 * algorithm", 1968): its time is bounded by length of the expression x length of the name, some
 * 100,000 steps for the longest of both.  So nobody need interrupt one match; who matches many names in
 * a backend has to look for interrupts between them.
 *
 * Pure: nothing is allocated; the compiled form, about 10 kB, is on the stack.
 */
#ifndef BURROW_CORE_TOPIC_PATTERN_H
#define BURROW_CORE_TOPIC_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#define BURROW_TOPIC_PATTERN_MAX	249 /* bytes */
#define BURROW_TOPIC_PATTERN_DEPTH	5

/*
 * May a topic be called so?  Brokers make no others, but what calls itself a broker may say anything, and these
 * names go into texts, labels and arrays of a fixed length.
 */
extern bool burrow_topic_pattern_is_topic(const char *name);

/*
 * What keeps the first len bytes of the text from being such an expression, as a phrase in
 * English; NULL: nothing.  *position becomes the byte that it is about, from 0.
 */
extern const char *burrow_topic_pattern_check(const char *pattern, size_t len, size_t *position);

/* Does the expression match this name, anywhere in it?  False, too, for what is not in the subset. */
extern bool burrow_topic_pattern_matches(const char *pattern, size_t len, const char *name);

#endif							/* BURROW_CORE_TOPIC_PATTERN_H */
