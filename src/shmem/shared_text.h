/*
 * shared_text.h
 *	  Texts of bounded length in shared memory, for the views.
 */
#ifndef BURROW_SHMEM_SHARED_TEXT_H
#define BURROW_SHMEM_SHARED_TEXT_H

/*
 * Copies what fits into size bytes, cut at a character's end.  What is no text in the database's encoding (it is another
 * library's) gets ? for its bytes beyond ASCII, so that a view can show it.
 */
extern void burrow_shared_text_copy(char *to, size_t size, const char *from);

#endif							/* BURROW_SHMEM_SHARED_TEXT_H */
