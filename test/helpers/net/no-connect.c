/* Preloaded into every process of a test: refuses connections to other machines and logs each attempt. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int refused(const struct sockaddr *to) {
	char text[INET6_ADDRSTRLEN] = "";
	if (to == NULL) return 0;
	if (to->sa_family == AF_INET) {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)to)->sin_addr, text, sizeof text);
	} else if (to->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)to)->sin6_addr, text, sizeof text);
	} else {
		return 0;
	}
	const char *path = getenv("EARSHOT_TEST_ATTEMPTS");
	FILE *file = path == NULL ? NULL : fopen(path, "a");
	if (file != NULL) {
		fprintf(file, "%s\n", text);
		fclose(file);
	}
	errno = ECONNREFUSED;
	return 1;
}

int connect(int socket, const struct sockaddr *to, socklen_t length) {
	if (refused(to)) return -1;
	int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
	return real(socket, to, length);
}

ssize_t sendto(int socket, const void *bytes, size_t size, int flags, const struct sockaddr *to, socklen_t length) {
	if (refused(to)) return -1;
	ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "sendto");
	return real(socket, bytes, size, flags, to, length);
}
