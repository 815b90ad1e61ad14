// SPDX-License-Identifier: Apache-2.0
#include "rstbpf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_warning[RSTBPF_MESSAGE_LENGTH];

static int keep_warning(enum libbpf_print_level level, const char *format, va_list arguments)
{
	size_t length;

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(last_warning, sizeof(last_warning), format, arguments);
	length = strlen(last_warning);
	while (length && last_warning[length - 1] == '\n')
		last_warning[--length] = 0;
	return 0;
}

void rstbpf_listen(void)
{
	libbpf_set_print(keep_warning);
	last_warning[0] = 0;
}

const char *rstbpf_last_warning(void)
{
	return last_warning;
}

void rstbpf_say(char *message, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, RSTBPF_MESSAGE_LENGTH, format, arguments);
	va_end(arguments);
}

int rstbpf_explain(int error, char *message)
{
	switch (-error) {
	case EPERM:
	case EACCES:
		rstbpf_say(message, "loading BPF programs is not permitted (%s)",
			   last_warning[0] ? last_warning : strerror(-error));
		break;
	case ENOSYS:
		rstbpf_say(message, "this kernel is built without BPF (CONFIG_BPF_SYSCALL)");
		break;
	default:
		rstbpf_say(message, "%s%s%s", strerror(-error), last_warning[0] ? ": " : "",
			   last_warning);
	}
	return error;
}
