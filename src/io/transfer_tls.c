/* transfer_tls: which certificates a transfer trusts, and what to say when it does not. */
#include <ctype.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "io/transfer.h"

/* "AB:CD ef" -> "abcdef"; anything else than 64 hex digits can equal no digest. */
static bool fingerprint_equals(const char *pin, const char *digest)
{
	for (; *pin; pin++) {
		if (*pin == ':' || *pin == ' ')
			continue;
		if (!*digest || tolower((unsigned char)*pin) != *digest++)
			return false;
	}
	return *digest == 0;
}

static bool digest_print(char out[65], X509 *certificate)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	if (!certificate || !X509_digest(certificate, EVP_sha256(), digest, &size) || size != 32)
		return false;
	for (unsigned i = 0; i < size; i++) {
		out[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	out[64] = 0;
	return true;
}

static bool certificate_is_pinned(struct transfer *transfer, X509 *certificate)
{
	transfer->certificate_is_another =
		!digest_print(transfer->certificate_digest, certificate) ||
		!fingerprint_equals(transfer->certificate_pin, transfer->certificate_digest);
	return !transfer->certificate_is_another;
}

static int on_certificate(X509_STORE_CTX *store, void *ctx)
{
	struct transfer *transfer = ctx;
	X509 *certificate = X509_STORE_CTX_get0_cert(store);

	if (transfer->certificate_pin) {
		bool is_pinned = certificate_is_pinned(transfer, certificate);

		X509_STORE_CTX_set_error(store, is_pinned ? X509_V_OK
							  : X509_V_ERR_APPLICATION_VERIFICATION);
		return is_pinned;
	}
	/* For the message: whoever trusts this server can pin it. */
	digest_print(transfer->certificate_digest, certificate);
	return X509_verify_cert(store);
}

static CURLcode on_ssl_context(CURL *easy, void *context, void *ctx)
{
	SSL_CTX_set_cert_verify_callback(context, on_certificate, ctx);
	/* The connection may outlive this transfer, and must not ask it about certificates then. */
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
	return CURLE_OK;
}

void transfer_set_tls(struct transfer *transfer, const struct http_tls *tls)
{
	static const struct http_tls careful = { .verify = true };
	CURL *easy = transfer->easy;

	if (!tls)
		tls = &careful;
	if (!tls->verify && !tls->fingerprint) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_context);
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, transfer);
	/* A resumed session shows no certificate. */
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	if (tls->fingerprint) {
		transfer->certificate_pin = tls->fingerprint;
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
		curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	} else if (tls->ca_file) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, tls->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
}

bool transfer_check_pin(struct transfer *transfer)
{
	struct curl_tlssessioninfo *session = NULL;
	X509 *certificate;
	bool is_pinned;

	if (!transfer->certificate_pin)
		return true;
	if (curl_easy_getinfo(transfer->easy, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK ||
	    !session || session->backend != CURLSSLBACKEND_OPENSSL || !session->internals)
		return true; /* not TLS */
	certificate = SSL_get1_peer_certificate(session->internals);
	is_pinned = certificate_is_pinned(transfer, certificate);
	X509_free(certificate);
	return is_pinned;
}

bool transfer_is_tls_refused(const struct transfer *transfer)
{
	switch (transfer->code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CERTPROBLEM:
		return true;
	default:
		return transfer->certificate_is_another;
	}
}

static const char *problem_text(const struct transfer *transfer)
{
	static const char *const prefixes[] = { "SSL certificate problem: ", "SSL: " };
	const char *text = transfer->problem;

	if (!*text)
		return curl_easy_strerror(transfer->code);
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0)
			return text + strlen(prefixes[i]);
	return text;
}

static char *explain_no_connection(const struct transfer *transfer, const char *peer)
{
	long number = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
	return str_format("%s: no connection (%s)", peer,
			  number ? strerror((int)number) : problem_text(transfer));
}

char *transfer_explain(const struct transfer *transfer, const char *peer)
{
	if (transfer->certificate_is_another)
		return str_format(
			"the certificate of %s has the fingerprint %s, not the one in "
			"FINGERPRINT: if it was replaced on purpose, write the new one there, or "
			"else somebody may be sitting in between",
			peer, *transfer->certificate_digest ? transfer->certificate_digest : "?");
	if (transfer->code == CURLE_SSL_CACERT_BADFILE)
		return str_format(
			"the certificate of %s could not be checked: CA_FILE (or the system's "
			"authorities) cannot be read as certificates in PEM form",
			peer);
	if (transfer_is_tls_refused(transfer))
		return str_format(
			"the certificate of %s was not accepted (%s): name the authority that "
			"signed it with CA_FILE, or, if you know that this is your server, pin it "
			"with FINGERPRINT = %s",
			peer, problem_text(transfer),
			*transfer->certificate_digest ? transfer->certificate_digest
						      : "<its SHA-256>");
	if (transfer->code == CURLE_COULDNT_RESOLVE_HOST)
		return str_format("%s: no such host, or the name server did not answer", peer);
	if (transfer->code == CURLE_COULDNT_CONNECT)
		return explain_no_connection(transfer, peer);
	if (transfer->code == CURLE_SSL_CONNECT_ERROR)
		return str_format("%s: TLS could not be agreed on (%s)", peer,
				  problem_text(transfer));
	return str_format("%s: %s", peer, problem_text(transfer));
}
