/*
 * history_graph.c
 *	  A line of the last minutes, as SVG.
 *
 * Runs in: the exporter.
 */
#include "postgres.h"

#include "exporter/history_graph.h"

#define STEP	2				/* of the drawing's own units, from a value to the next */
#define HEIGHT	24

static double
greatest(const double *values, int n)
{
	double		max = -1;

	for (int i = 0; i < n; i++)
		max = Max(max, values[i]);
	return max;
}

static double
last_known(const double *values, int n)
{
	while (values[n - 1] < 0)
		n--;
	return values[n - 1];
}

/* A line for each run of known values; one alone is as long as its step. */
static void
put_lines(StringInfo out, const double *values, int n, double max)
{
	for (int i = 0; i < n; i++)
	{
		double		y = max > 0 ? HEIGHT - 1 - (HEIGHT - 2) * values[i] / max : HEIGHT - 1;

		if (values[i] < 0)
			continue;
		if (i == 0 || values[i - 1] < 0)
			appendStringInfo(out, "<polyline points=\"%d,%.1f", STEP * i, y);
		appendStringInfo(out, " %d,%.1f", STEP * i + 1, y);
		if (i == n - 1 || values[i + 1] < 0)
			appendStringInfoString(out, "\"/>");
	}
}

void
burrow_history_graph_write(StringInfo out, const char *title, const double *values, int n)
{
	double		max = greatest(values, n);

	if (max < 0)
		return;
	appendStringInfo(out, " <svg class=\"graph\" viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\">"
					 "<title>%s: at most %.1f, at last %.1f</title>",
					 STEP * n, HEIGHT, title, max, last_known(values, n));
	put_lines(out, values, n, max);
	appendStringInfoString(out, "</svg>");
}
