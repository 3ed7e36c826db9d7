/*
 * pages.h
 *	  What the exporter answers.
 */
#ifndef BURROW_EXPORTER_PAGES_H
#define BURROW_EXPORTER_PAGES_H

#include "http/http.h"

/* What a request must bring, "Bearer <token>"; NULL: nothing.  The text is the caller's, and stays. */
extern void burrow_pages_set_token(const char *token);

/* As BurrowHttpConf has it: raises no error. */
extern void burrow_pages_answer(const BurrowHttpRequest *request, BurrowHttpAnswer *answer);

#endif							/* BURROW_EXPORTER_PAGES_H */
