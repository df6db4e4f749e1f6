/* certificate: a self-signed one for --tls auto, made once and kept. */
#ifndef SIMULATOR_CERTIFICATE_H
#define SIMULATOR_CERTIFICATE_H

#include "base/error.h"

/* Makes cert.pem and key.pem (for localhost, 127.0.0.1, ::1 and this machine's name) unless both
 * are there. */
MUST_CHECK int certificate_make(const char *cert_path, const char *key_path, struct error *err);
/* SHA-256 over the DER form, "AB:CD:...". For free(). NULL: no certificate in the PEM text. */
char *certificate_fingerprint(const char *pem);

#endif
