/* SPDX-License-Identifier: ISC */
/* Requests to the WireGuard socket, line by line as it is fed. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../tund/uapi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uapi_request r = { 0 };
	char *text = malloc(size + 1);
	char *line = text;

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	while (line < text + size) {
		char *end = memchr(line, '\n', (size_t)(text + size - line));

		if (!end)
			end = text + size;
		*end = '\0';
		if (end > line && end - line <= UAPI_LINE_MAX)
			uapi_line(&r, line, (size_t)(end - line));
		line = end + 1;
	}
	assert(r.n <= UAPI_ITEMS_MAX && r.error <= 0);
	uapi_request_reset(&r);
	free(text);
	return 0;
}
