/*
 * topic_pattern.c
 *	  The regular expressions that may choose topics.
 *
 * A recursive descent, no deeper than BURROW_TOPIC_PATTERN_DEPTH, writes a program for a
 * machine that is in several places of it at once.  Jumps are relative, so that a piece of the
 * program can be moved when it turns out to be repeated or one of several alternatives.
 */
#include "core/topic_pattern.h"

#include <stdint.h>
#include <string.h>

#include "core/check.h"

/* Each byte of an expression becomes one instruction at most, and *, + and | two more. */
#define MAX_INSTRUCTIONS	(3 * BURROW_TOPIC_PATTERN_MAX + 2)

/* A class has three bytes at least. */
#define MAX_CLASSES			(BURROW_TOPIC_PATTERN_MAX / 3 + 1)

typedef enum Operation
{
	OP_CHARACTER,				/* argument: the character */
	OP_ANY,
	OP_CLASS,					/* argument: number of the class */
	OP_BEGINNING,
	OP_END,
	OP_SPLIT,					/* go on behind it, and argument instructions from it */
	OP_JUMP,					/* go on argument instructions from it */
	OP_MATCH
} Operation;

typedef struct Instruction
{
	int16_t		operation;
	int16_t		argument;
} Instruction;

/* Of ASCII: nothing else is in an expression or in a topic's name. */
typedef struct Class
{
	uint64_t	members[2];
} Class;

typedef struct Program
{
	int			n;
	int			nclasses;
	Instruction instructions[MAX_INSTRUCTIONS];
	Class		classes[MAX_CLASSES];
} Program;

/* What stands in a piece of an expression: what may be done to it depends on that. */
typedef struct Piece
{
	int			begin;			/* its first instruction */
	bool		has_question;
	bool		has_repetition;
} Piece;

typedef struct Parser
{
	const char *pattern;
	size_t		len;
	size_t		at;
	const char *error;			/* NULL: none yet */
	size_t		error_at;
	Program    *program;
} Parser;

static void
fail(Parser *parser, size_t at, const char *error)
{
	if (parser->error != NULL)
		return;
	parser->error = error;
	parser->error_at = at;
}

static int
peek(const Parser *parser)
{
	return parser->at < parser->len ? (unsigned char) parser->pattern[parser->at] : -1;
}

/* ---- the program ---- */

static void
emit(Program *program, Operation operation, int argument)
{
	BURROW_CHECK(program->n < MAX_INSTRUCTIONS);
	program->instructions[program->n++] = (Instruction) {(int16_t) operation, (int16_t) argument};
}

/* Makes room for one instruction before what was written from there on. */
static void
insert(Program *program, int at, Operation operation, int argument)
{
	BURROW_CHECK(program->n < MAX_INSTRUCTIONS);
	memmove(&program->instructions[at + 1], &program->instructions[at],
			(size_t) (program->n - at) * sizeof(Instruction));
	program->n++;
	program->instructions[at] = (Instruction) {(int16_t) operation, (int16_t) argument};
}

/* ---- classes ---- */

static void
add_range(Class *set, int first, int last)
{
	for (int c = first; c <= last; c++)
		set->members[c / 64] |= UINT64_C(1) << (c % 64);
}

static bool
has(const Class *set, int c)
{
	return c < 128 && (set->members[c / 64] >> (c % 64) & 1) != 0;
}

/* [:name:]; the parser stands behind its first bracket.  False: there is no such class. */
static bool
add_named_class(Parser *parser, Class *set)
{
	static const struct
	{
		const char *name;
		const char *ranges;
	}			named[] = {
		{":alnum:]", "09AZaz"},
		{":alpha:]", "AZaz"},
		{":digit:]", "09"},
		{":lower:]", "az"},
		{":upper:]", "AZ"},
		{":xdigit:]", "09AFaf"},
	};

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
	{
		size_t		len = strlen(named[i].name);

		if (parser->len - parser->at < len ||
			memcmp(parser->pattern + parser->at, named[i].name, len) != 0)
			continue;
		parser->at += len;
		for (const char *range = named[i].ranges; *range != '\0'; range += 2)
			add_range(set, range[0], range[1]);
		return true;
	}
	return false;
}

/* One member of a class, or a range of them. */
static void
parse_member(Parser *parser, Class *set)
{
	size_t		begin = parser->at;
	int			first = peek(parser);
	int			last = first;

	parser->at++;
	if (first == '[' && (peek(parser) == ':' || peek(parser) == '.' || peek(parser) == '='))
	{
		if (!add_named_class(parser, set))
			fail(parser, begin, "the only classes of characters are [:alnum:], [:alpha:], [:digit:], "
				 "[:lower:], [:upper:] and [:xdigit:]");
		return;
	}
	if (first == '\\')
		fail(parser, begin, "a backslash has no meaning between brackets");
	if (peek(parser) == '-' && parser->at + 1 < parser->len && parser->pattern[parser->at + 1] != ']')
	{
		last = (unsigned char) parser->pattern[parser->at + 1];
		parser->at += 2;
		if (last < first)
			fail(parser, begin, "the range is empty");
		if (last == '[' || last == '\\')
			fail(parser, parser->at - 1, "a range ends with a letter, a digit, \".\", \"_\" or \"-\"");
	}
	if (parser->error == NULL)
		add_range(set, first, last);
}

/* [...]; the parser stands at the first bracket. */
static void
parse_class(Parser *parser)
{
	Program    *program = parser->program;
	Class	   *set = &program->classes[program->nclasses];
	size_t		begin = parser->at++;
	bool		negated = peek(parser) == '^';
	bool		any = false;

	BURROW_CHECK(program->nclasses < MAX_CLASSES);
	memset(set, 0, sizeof(*set));
	if (negated)
		parser->at++;
	/* a closing bracket that comes first is a member */
	while (parser->error == NULL && peek(parser) != -1 && (peek(parser) != ']' || !any))
	{
		parse_member(parser, set);
		any = true;
	}
	if (peek(parser) != ']')
		fail(parser, begin, "the bracket is not closed");
	parser->at++;
	if (negated)
	{
		set->members[0] = ~set->members[0];
		set->members[1] = ~set->members[1];
	}
	emit(program, OP_CLASS, program->nclasses++);
}

/* ---- expressions ---- */

static Piece parse_alternatives(Parser *parser, int depth);

static void
parse_escape(Parser *parser)
{
	int			c;

	parser->at++;
	c = peek(parser);
	/* with letters, digits and some signs it means other things to other libraries */
	if (c == -1 || strchr(".[]()*+?|^$\\{}-", c) == NULL)
	{
		fail(parser, parser->at - 1, "a backslash stands only before one of . [ ] ( ) * + ? | ^ $ \\ { } -");
		return;
	}
	parser->at++;
	emit(parser->program, OP_CHARACTER, c);
}

static void
parse_group(Parser *parser, int depth, Piece *piece)
{
	size_t		begin = parser->at++;
	Piece		inner;

	if (depth == BURROW_TOPIC_PATTERN_DEPTH)
	{
		fail(parser, begin, "groups are too deep within each other");
		return;
	}
	inner = parse_alternatives(parser, depth + 1);
	piece->has_question = inner.has_question;
	piece->has_repetition = inner.has_repetition;
	if (peek(parser) != ')')
		fail(parser, begin, "the parenthesis is not closed");
	parser->at++;
}

/* What may be repeated: a character, a class, a group. */
static Piece
parse_atom(Parser *parser, int depth)
{
	Piece		piece = {.begin = parser->program->n};
	int			c = peek(parser);

	switch (c)
	{
		case '(':
			parse_group(parser, depth, &piece);
			return piece;
		case '[':
			parse_class(parser);
			return piece;
		case '\\':
			parse_escape(parser);
			return piece;
		case '.':
			emit(parser->program, OP_ANY, 0);
			break;
		case '^':
			emit(parser->program, OP_BEGINNING, 0);
			break;
		case '$':
			emit(parser->program, OP_END, 0);
			break;
		case '*':
		case '+':
		case '?':
			fail(parser, parser->at, "there is nothing to repeat");
			break;
		case '{':
		case '}':
			fail(parser, parser->at, "there is no counted repetition");
			break;
		default:
			emit(parser->program, OP_CHARACTER, c);
	}
	parser->at++;
	return piece;
}

/* *, + or ? behind a piece, if there is one. */
static void
parse_repetition(Parser *parser, Piece *piece, bool is_anchor)
{
	Program    *program = parser->program;
	int			size = program->n - piece->begin;
	int			c = peek(parser);

	if (c != '*' && c != '+' && c != '?')
		return;
	if (is_anchor)
		fail(parser, parser->at, "^ and $ cannot be repeated");
	if (c != '?' && (piece->has_repetition || piece->has_question))
		fail(parser, parser->at, "what is repeated must have no *, + or ? in it");
	if (parser->error != NULL)
		return;
	if (c != '+')
		insert(program, piece->begin, OP_SPLIT, c == '*' ? size + 2 : size + 1);
	if (c == '*')
		emit(program, OP_JUMP, -(size + 1));
	if (c == '+')
	{
		/* behind the piece: back to it, or on */
		emit(program, OP_SPLIT, 2);
		emit(program, OP_JUMP, -(size + 1));
	}
	piece->has_question |= c == '?';
	piece->has_repetition |= c != '?';
	parser->at++;
	c = peek(parser);
	if (c == '*' || c == '+' || c == '?')
		fail(parser, parser->at, "a repetition cannot be repeated");
}

/* One piece after the other. */
static Piece
parse_sequence(Parser *parser, int depth)
{
	Piece		all = {.begin = parser->program->n};
	size_t		begin = parser->at;
	int			c;

	while (parser->error == NULL && (c = peek(parser)) != -1 && c != '|' && c != ')')
	{
		Piece		piece = parse_atom(parser, depth);

		if (parser->error == NULL)
			parse_repetition(parser, &piece, c == '^' || c == '$');
		all.has_question |= piece.has_question;
		all.has_repetition |= piece.has_repetition;
	}
	if (parser->at == begin)
		fail(parser, begin, "there is an empty alternative or group");
	return all;
}

static Piece
parse_alternatives(Parser *parser, int depth)
{
	Program    *program = parser->program;
	Piece		all = parse_sequence(parser, depth);

	while (parser->error == NULL && peek(parser) == '|')
	{
		int			size = program->n - all.begin;
		int			jump;
		Piece		other;

		parser->at++;
		insert(program, all.begin, OP_SPLIT, size + 2);
		jump = program->n;
		emit(program, OP_JUMP, 0);
		other = parse_sequence(parser, depth);
		program->instructions[jump].argument = (int16_t) (program->n - jump);
		all.has_question |= other.has_question;
		all.has_repetition |= other.has_repetition;
	}
	return all;
}

/* Why it does not compile; NULL: it does. */
static const char *
compile(const char *pattern, size_t len, size_t *position, Program *program)
{
	Parser		parser = {.pattern = pattern, .len = len, .program = program};

	program->n = program->nclasses = 0;
	if (len > BURROW_TOPIC_PATTERN_MAX)
		fail(&parser, BURROW_TOPIC_PATTERN_MAX, "it is longer than 249 characters");
	for (size_t i = 0; i < len; i++)
		if (pattern[i] <= ' ' || pattern[i] >= 0x7f)
			fail(&parser, i, "characters are printable ones of ASCII, and no spaces");
	if (parser.error == NULL)
	{
		(void) parse_alternatives(&parser, 0);
		if (parser.error == NULL && parser.at < len)
			fail(&parser, parser.at, "a parenthesis is closed that was not opened");
		if (parser.error == NULL)
			emit(program, OP_MATCH, 0);
	}
	*position = parser.error_at;
	return parser.error;
}

const char *
burrow_topic_pattern_check(const char *pattern, size_t len, size_t *position)
{
	Program		program;

	return compile(pattern, len, position, &program);
}

/* ---- matching ---- */

/* Places in the program, each once. */
typedef struct Places
{
	int			n;
	int16_t		places[MAX_INSTRUCTIONS];
	bool		is_in[MAX_INSTRUCTIONS];
} Places;

static void
clear(Places *set)
{
	set->n = 0;
	memset(set->is_in, 0, sizeof(set->is_in));
}

static void
add(Places *set, int place)
{
	if (set->is_in[place])
		return;
	set->is_in[place] = true;
	set->places[set->n++] = (int16_t) place;
}

/* Adds where the machine gets without a character; true: the expression has matched. */
static bool
follow(const Program *program, Places *set, bool at_beginning, bool at_end)
{
	/* the set grows on the way */
	for (int i = 0; i < set->n; i++)
	{
		int			place = set->places[i];
		const Instruction *instruction = &program->instructions[place];

		switch (instruction->operation)
		{
			case OP_MATCH:
				return true;
			case OP_JUMP:
				add(set, place + instruction->argument);
				break;
			case OP_SPLIT:
				add(set, place + 1);
				add(set, place + instruction->argument);
				break;
			case OP_BEGINNING:
				if (at_beginning)
					add(set, place + 1);
				break;
			case OP_END:
				if (at_end)
					add(set, place + 1);
				break;
		}
	}
	return false;
}

static bool
takes(const Program *program, const Instruction *instruction, int c)
{
	switch (instruction->operation)
	{
		case OP_CHARACTER:
			return instruction->argument == c;
		case OP_ANY:
			return true;
		case OP_CLASS:
			return has(&program->classes[instruction->argument], c);
		default:
			return false;
	}
}

bool
burrow_topic_pattern_is_topic(const char *name)
{
	size_t		length = strnlen(name, BURROW_TOPIC_PATTERN_MAX + 1);

	return length >= 1 && length <= BURROW_TOPIC_PATTERN_MAX &&
		strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == length &&
		strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

bool
burrow_topic_pattern_matches(const char *pattern, size_t len, const char *name)
{
	Program		program;
	Places		sets[2];
	Places	   *now = &sets[0];
	Places	   *next = &sets[1];
	size_t		position;

	if (compile(pattern, len, &position, &program) != NULL)
		return false;
	clear(now);
	for (const char *p = name;; p++)
	{
		Places	   *other = now;

		add(now, 0);			/* it may begin anywhere */
		if (follow(&program, now, p == name, *p == '\0'))
			return true;
		if (*p == '\0')
			return false;
		clear(next);
		for (int i = 0; i < now->n; i++)
			if (takes(&program, &program.instructions[now->places[i]], (unsigned char) *p))
				add(next, now->places[i] + 1);
		now = next;
		next = other;
	}
}
