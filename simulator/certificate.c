#include "simulator/certificate.h"

#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include "base/mem.h"

AUTO_DEFINE(EVP_PKEY *, EVP_PKEY_free)
AUTO_DEFINE(X509 *, X509_free)
AUTO_DEFINE(BIO *, BIO_free_all)

static bool add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX context;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	bool added = extension && X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	return added;
}

/* In a container, this machine's name is the one by which the others know it. */
static char *names_of_this_machine(void)
{
	static const char loopback[] = "DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1";
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-.";
	char name[HOST_NAME_MAX + 1];

	if (gethostname(name, sizeof(name)) < 0 || !*name || name[strspn(name, letters)])
		return str_copy(loopback);
	return str_format("%s,DNS:%s", loopback, name);
}

static bool fill_in(X509 *cert, EVP_PKEY *key)
{
	AUTO(free) char *names = names_of_this_machine();
	X509_NAME *name = X509_get_subject_name(cert);
	uint32_t serial;

	return RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1 &&
	       X509_set_version(cert, 2) &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial | 1) &&
	       X509_gmtime_adj(X509_getm_notBefore(cert), -24 * 3600) &&
	       X509_gmtime_adj(X509_getm_notAfter(cert), 3650L * 24 * 3600) &&
	       X509_set_pubkey(cert, key) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					  (const unsigned char *)"cn_simulator", -1, -1, 0) &&
	       X509_set_issuer_name(cert, name) &&
	       /* What strict clients (Python 3.13) ask of a certificate that vouches for itself. */
	       add_extension(cert, NID_basic_constraints, "critical,CA:TRUE") &&
	       add_extension(cert, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
	       add_extension(cert, NID_ext_key_usage, "serverAuth") &&
	       add_extension(cert, NID_subject_key_identifier, "hash") &&
	       add_extension(cert, NID_authority_key_identifier, "keyid:always") &&
	       add_extension(cert, NID_subject_alt_name, names) &&
	       X509_sign(cert, key, EVP_sha256());
}

static BIO *create_file(const char *path, unsigned mode, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (!file)
		error_errno(err, "%s", path);
	return file ? BIO_new_fp(file, BIO_CLOSE) : NULL;
}

int certificate_make(const char *cert_path, const char *key_path, struct error *err)
{
	if (access(cert_path, R_OK) == 0 && access(key_path, R_OK) == 0)
		return 0;
	AUTO(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO(X509_free) X509 *cert = X509_new();
	if (!key || !cert || !fill_in(cert, key))
		return error_set(err, "cannot make a certificate");
	AUTO(BIO_free_all) BIO *key_file = create_file(key_path, 0600, err);
	AUTO(BIO_free_all) BIO *cert_file = key_file ? create_file(cert_path, 0644, err) : NULL;
	if (!cert_file)
		return -1;
	if (!PEM_write_bio_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL) ||
	    !PEM_write_bio_X509(cert_file, cert) || BIO_flush(key_file) < 1 ||
	    BIO_flush(cert_file) < 1)
		return error_set(err, "cannot write %s and %s", cert_path, key_path);
	return 0;
}

char *certificate_fingerprint(const char *pem)
{
	AUTO(BIO_free_all) BIO *text = BIO_new_mem_buf(pem, -1);
	AUTO(X509_free) X509 *cert = text ? PEM_read_bio_X509(text, NULL, NULL, NULL) : NULL;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	if (!cert || !X509_digest(cert, EVP_sha256(), digest, &size))
		return NULL;
	char *fingerprint = mem_new(3 * size + 1);
	for (unsigned i = 0; i < size; i++) {
		static const char hex[] = "0123456789ABCDEF";

		fingerprint[3 * i] = hex[digest[i] >> 4];
		fingerprint[3 * i + 1] = hex[digest[i] & 15];
		fingerprint[3 * i + 2] = i + 1 < size ? ':' : '\0';
	}
	return fingerprint;
}
