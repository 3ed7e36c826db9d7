/*
 * step.c
 *	  A row of burrow.check_connection().
 *
 * Runs in: processes of burrow.check_connection().
 */
#include "postgres.h"

#include "libpq/pqformat.h"

#include "first_look/step.h"
#include "runtime/answer.h"

void
burrow_step_report(const char *step, const char *subject, bool ok, const char *reason, const char *hint)
{
	StringInfoData answer;

	burrow_answer_begin(&answer);
	burrow_answer_put_text(&answer, step);
	burrow_answer_put_text(&answer, subject);
	pq_sendbyte(&answer, ok ? 1 : 0);
	burrow_answer_put_text(&answer, reason);
	burrow_answer_put_text(&answer, hint);
	burrow_answer_send(&answer);
}
