/*
 * html.c
 *	  Pieces of an HTML document.
 *
 * Times are UTC: the exporter is nobody's session, and its reader may be anywhere.
 *
 * Runs in: the exporter.
 */
#include "postgres.h"

#include <math.h>

#include "exporter/html.h"

void
burrow_html_text(StringInfo out, const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
	{
		switch (*p)
		{
			case '<':
				appendStringInfoString(out, "&lt;");
				break;
			case '>':
				appendStringInfoString(out, "&gt;");
				break;
			case '&':
				appendStringInfoString(out, "&amp;");
				break;
			case '"':
				appendStringInfoString(out, "&quot;");
				break;
			case '\'':
				appendStringInfoString(out, "&#39;");
				break;
			default:
				/* HTML has no place for other control characters, however they are written */
				if ((unsigned char) *p < ' ' && strchr("\t\n\f\r", *p) == NULL)
					appendStringInfoString(out, "\xEF\xBF\xBD");
				else
					appendStringInfoChar(out, *p);
		}
	}
}

void
burrow_html_name(StringInfo out, const char *name)
{
	appendStringInfoString(out, "<bdi>");
	burrow_html_text(out, name);
	appendStringInfoString(out, "</bdi>");
}

void
burrow_html_count(StringInfo out, int64 count)
{
	char		digits[24];
	int			len = snprintf(digits, sizeof(digits), INT64_FORMAT, count);

	for (int i = 0; i < len; i++)
	{
		appendStringInfoChar(out, digits[i]);
		if (digits[i] != '-' && i < len - 1 && (len - 1 - i) % 3 == 0)
			appendStringInfoChar(out, ',');
	}
}

static void
put_duration(StringInfo out, double seconds)
{
	int64		s = (int64) Max(seconds, 0);

	if (s < 10)
		appendStringInfo(out, "%.1f s", floor(Max(seconds, 0) * 10) / 10);
	else if (s < 60)
		appendStringInfo(out, "%d s", (int) s);
	else if (s < 3600)
		appendStringInfo(out, "%d min %d s", (int) s / 60, (int) s % 60);
	else if (s < 86400)
		appendStringInfo(out, "%d h %d min", (int) s / 3600, (int) s % 3600 / 60);
	else
		appendStringInfo(out, INT64_FORMAT " d %d h", s / 86400, (int) (s % 86400 / 3600));
}

void
burrow_html_duration(StringInfo out, double seconds)
{
	appendStringInfo(out, "<data value=\"%.6f\">", seconds);
	put_duration(out, seconds);
	appendStringInfoString(out, "</data>");
}

/* "2026-11-30", a separator, "15:04:05" */
static void
put_time(StringInfo out, TimestampTz at, char separator)
{
	struct pg_tm tm;
	fsec_t		fsec;

	/* a timestamp without a time zone has the same number in UTC */
	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) == 0)
		appendStringInfo(out, "%04d-%02d-%02d%c%02d:%02d:%02d", tm.tm_year, tm.tm_mon, tm.tm_mday, separator,
						 tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void
burrow_html_age(StringInfo out, TimestampTz since, TimestampTz now)
{
	appendStringInfoString(out, "<time datetime=\"");
	put_time(out, since, 'T');
	appendStringInfoString(out, "Z\">");
	put_duration(out, (double) (now - since) / USECS_PER_SEC);
	appendStringInfoString(out, "</time>");
}

void
burrow_html_time(StringInfo out, TimestampTz at)
{
	appendStringInfoString(out, "<time datetime=\"");
	put_time(out, at, 'T');
	appendStringInfoString(out, "Z\">");
	put_time(out, at, ' ');
	appendStringInfoString(out, " UTC</time>");
}
