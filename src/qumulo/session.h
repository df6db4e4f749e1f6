/*
 * session: the token that requests to a cluster carry: given, read from its file, or got by a
 * log-in that all waiting requests share.
 */
#ifndef QUMULO_SESSION_H
#define QUMULO_SESSION_H

#include "qumulo/call.h"

struct session *session_new(struct qumulo *qumulo);
void session_free(struct session *session);
void session_cancel_waiting(struct session *session);

/* Leads to call_send or call_fail_later, now or after a log-in. */
void session_join(struct session *session, struct qumulo_call *call);
/*
 * The call's token was refused. false: no other token is to be had, the refusal stands. Else the
 * session has, or will get, another one: join again.
 */
bool session_renew(struct session *session, const struct qumulo_call *call);

/*
 * The cluster says that the token of this call is nobody's: it is not used again. true: a log-in
 * gets another one, join again.
 */
bool session_forget_token(struct session *session, const struct qumulo_call *call);

#endif
