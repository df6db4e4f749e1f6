/*
 * transfer: libcurl's multi interface on a libuv loop. What http_client and mail have in common;
 * for them only.
 */
#ifndef IO_TRANSFER_H
#define IO_TRANSFER_H

#include <curl/curl.h>

#include "base/list.h"
#include "io/http_client.h"

enum transfer_state {
	TRANSFER_WAITING, /* libcurl must not be given it from inside its own callbacks */
	TRANSFER_RUNNING,
	TRANSFER_ENDED,
	TRANSFER_CANCELLED,
};

/* The first member of what its owner knows about it. */
struct transfer {
	struct list link;
	struct http *http;
	CURL *easy;
	enum transfer_state state;
	bool is_broken; /* ends with `code` without having been tried */
	bool wants_reading;
	bool is_paused; /* newer libcurls hand out what they have decoded all the same: say no */
	CURLcode code;
	char problem[CURL_ERROR_SIZE];
	const char *certificate_pin;                /* of the owner; NULL: none */
	char certificate_digest[65];                /* the server's, in hex, once it showed one */
	bool certificate_is_another;                /* than the pinned one */
	void (*ended)(struct transfer *transfer);   /* code, problem tell how; not if cancelled */
	void (*release)(struct transfer *transfer); /* easy is gone: free what is yours */
};

/* What another file of this folder has under way beside the transfers; told when http closes. */
struct http_guest {
	struct list link;
	void (*http_closes)(struct http_guest *guest); /* has left http_guests() already */
};

struct list *http_guests(struct http *http);

void transfer_init(struct transfer *transfer, struct http *http);
/* Fills in what every transfer needs to be safe on a loop; call it before other options. */
void transfer_set_tls(struct transfer *transfer, const struct http_tls *tls);
/* Checks the pin again on a connection that was made for another transfer. */
bool transfer_check_pin(struct transfer *transfer);
/* -1 in problem: ends at once, but never inside this call. */
void transfer_start(struct transfer *transfer);
void transfer_break(struct transfer *transfer, CURLcode code, const char *problem);
void transfer_cancel(struct transfer *transfer);
void transfer_pause(struct transfer *transfer, bool paused);

/* Whether the certificate was what the transfer failed on, or the authorities to check it with. */
bool transfer_is_tls_refused(const struct transfer *transfer);
/* What went wrong, as a sentence about `peer` ("storage1:8000"); for free(). */
char *transfer_explain(const struct transfer *transfer, const char *peer);

#endif
