/*
 * listen_address.c
 *	  Where to listen: what a setting's text says.
 */
#include <stddef.h>
#include <string.h>

#include "core/listen_address.h"

#define BLANKS	" \t\r\n\f\v"

static bool
copy(char *to, size_t room, const char *from, size_t len)
{
	if (len > room || memchr(from, '\0', len) != NULL)
		return false;
	memcpy(to, from, len);
	to[len] = '\0';
	return true;
}

/* 1 to 65535, no sign and no leading zero. */
static bool
read_port(const char *text, size_t len, char *port)
{
	unsigned	number = 0;

	if (len == 0 || len > 5 || text[0] == '0')
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return false;
		number = number * 10 + (unsigned) (text[i] - '0');
	}
	return number <= 65535 && copy(port, 5, text, len);
}

static bool
read_host(const char *text, size_t len, char *host)
{
	if (len == 0)
		return copy(host, BURROW_LISTEN_HOST_MAX, "localhost", 9);
	if (text[0] == '[')
	{
		if (len < 3 || text[len - 1] != ']')
			return false;
		text++;
		len -= 2;
	}
	else if (memchr(text, ':', len) != NULL)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if (strchr(BLANKS "[]/", text[i]) != NULL)
			return false;
	}
	return copy(host, BURROW_LISTEN_HOST_MAX, text, len);
}

static bool
read_one(const char *text, size_t len, BurrowListenAddress *address)
{
	size_t		host_len = len;

	memset(address, 0, sizeof(*address));
	if (len > 0 && text[0] == '/')
	{
		address->is_path = true;
		return copy(address->host, BURROW_LISTEN_PATH_MAX, text, len);
	}
	while (host_len > 0 && text[host_len - 1] != ':')
		host_len--;
	return read_port(text + host_len, len - host_len, address->port) &&
		read_host(text, host_len > 0 ? host_len - 1 : 0, address->host);
}

int
burrow_listen_address_read(const char *list, BurrowListenAddress *addresses, const char **wrong)
{
	const char *p = list + strspn(list, BLANKS);
	int			n = 0;

	if (*p == '\0')
		return 0;
	for (;;)
	{
		size_t		len = strcspn(p, ",");
		size_t		trimmed = len;

		while (trimmed > 0 && strchr(BLANKS, p[trimmed - 1]) != NULL)
			trimmed--;
		*wrong = p;
		if (n == BURROW_LISTEN_MAX || !read_one(p, trimmed, &addresses[n]))
			return -1;
		n++;
		if (p[len] == '\0')
			return n;
		p += len + 1;
		p += strspn(p, BLANKS);
	}
}
