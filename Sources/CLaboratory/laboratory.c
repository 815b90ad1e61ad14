#include "CLaboratory.h"

#include <linux/filter.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

_Static_assert(LABORATORY_READABLE == EPOLLIN && LABORATORY_WRITABLE == EPOLLOUT, "epoll");
_Static_assert(LABORATORY_ERROR == EPOLLERR && LABORATORY_HUNG_UP == EPOLLHUP, "epoll");
_Static_assert(LABORATORY_PEER_ENDED == EPOLLRDHUP && LABORATORY_EDGE == (uint32_t)EPOLLET,
	       "epoll");

int laboratory_set_hearing(int socket, enum laboratory_hearing hearing, uint16_t port)
{
	uint32_t flag = hearing == LABORATORY_HEARS_FIN ? 0x01 : 0x02;
	struct sock_filter some[] = {
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
	    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flag, 2, 0),
	    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
	    /* No port is 65536. */
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, hearing == LABORATORY_HEARS_SYN ? port : 65536, 0,
		     1),
	    BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_filter no_data[] = {
	    /* The length of the header. */
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 12), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
	    BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2), BPF_STMT(BPF_MISC | BPF_TAX, 0),
	    BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, 0xffffffff),  BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog program = {.len = sizeof(some) / sizeof(*some), .filter = some};

	if (hearing == LABORATORY_HEARS_NOTHING)
		program = (struct sock_fprog){.len = 1, .filter = nothing};
	if (hearing == LABORATORY_HEARS_NO_DATA)
		program = (struct sock_fprog){.len = sizeof(no_data) / sizeof(*no_data),
					      .filter = no_data};
	return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/*
 * Attaches a filter to an AF_PACKET socket of type SOCK_DGRAM: it drops what is not TCP, and TCP segments (whose header begins
 * at X) for which `tests` continue to their last instruction.
 */
static int filter_tcp(int socket, const struct sock_filter *tests, unsigned int count)
{
	enum { TCP = 6, PREFIX = 13, ROOM = 32 };
	uint8_t drop = (uint8_t)(PREFIX + count - 1);
	struct sock_filter all[ROOM] = {
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
	    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x60, 7, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 0, drop - 4),
	    /* IPv4, not a later fragment. */
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TCP, 0, drop - 6),
	    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
	    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, drop - 8, 0),
	    BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
	    BPF_STMT(BPF_JMP | BPF_JA, 3),
	    /* IPv6 without extension headers. */
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TCP, 0, drop - 12),
	    BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 40),
	};
	struct sock_fprog program = {.len = (unsigned short)(PREFIX + count), .filter = all};

	for (unsigned int index = 0; index < count; index++)
		all[PREFIX + index] = tests[index];
	return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

int laboratory_filter_refusals(int socket, uint16_t port)
{
	enum { OUTGOING = 4 /* PACKET_OUTGOING */, RST_ACK = 0x14, FLAGS = 0x17 };
	const struct sock_filter tests[] = {
	    /* What arrives on lo was already seen when it was sent. */
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUTGOING, 0, 8),
	    BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 6),
	    BPF_STMT(BPF_LD | BPF_W | BPF_IND, 4),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 4),
	    BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
	    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, FLAGS),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RST_ACK, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, 0xffff),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	};

	return filter_tcp(socket, tests, sizeof(tests) / sizeof(*tests));
}

int laboratory_filter_port(int socket, uint16_t port)
{
	const struct sock_filter tests[] = {
	    BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 2, 0),
	    BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, 0xffff),	   BPF_STMT(BPF_RET | BPF_K, 0),
	};

	return filter_tcp(socket, tests, sizeof(tests) / sizeof(*tests));
}

int laboratory_poll_create(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

int laboratory_poll_add(int poll, int descriptor, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = descriptor};

	return epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event);
}

int laboratory_poll_change(int poll, int descriptor, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = descriptor};

	return epoll_ctl(poll, EPOLL_CTL_MOD, descriptor, &event);
}

int laboratory_poll_remove(int poll, int descriptor)
{
	return epoll_ctl(poll, EPOLL_CTL_DEL, descriptor, NULL);
}

int laboratory_poll_wait(int poll, struct laboratory_event *events, int room, int milliseconds)
{
	struct epoll_event some[256];
	int count = epoll_wait(poll, some, room < 256 ? room : 256, milliseconds);

	for (int index = 0; index < count; index++)
		events[index] = (struct laboratory_event){some[index].data.fd, some[index].events};
	return count;
}

int laboratory_take_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -1;
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

int laboratory_next_signal(int descriptor)
{
	struct signalfd_siginfo information;

	if (read(descriptor, &information, sizeof(information)) != sizeof(information))
		return 0;
	return (int)information.ssi_signo;
}
