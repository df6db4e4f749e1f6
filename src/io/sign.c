#include "io/sign.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/mem.h"

#define PREFIX "whsec_"

/* The bytes that a key stands for, for free(). What is no Base64 is its own bytes. */
static unsigned char *key_bytes(struct text key, size_t *out_size)
{
	struct text coded = { key.data + strlen(PREFIX), key.size - strlen(PREFIX) };
	unsigned char *bytes = mem_new(key.size + 3);
	size_t padding = 0;
	int size = -1;

	if (text_starts_with(key, TEXT(PREFIX)) && coded.size && coded.size % 4 == 0) {
		while (padding < 2 && coded.data[coded.size - 1 - padding] == '=')
			padding++;
		size = EVP_DecodeBlock(bytes, (const unsigned char *)coded.data, (int)coded.size);
	}
	if (size < 0) {
		memcpy(bytes, key.data, key.size);
		*out_size = key.size;
	} else {
		*out_size = (size_t)size - padding;
	}
	return bytes;
}

char *sign_message(struct text key, struct text message)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_size = 0;
	size_t key_size;
	unsigned char *bytes = key_bytes(key, &key_size);
	char *signature;

	if (!HMAC(EVP_sha256(), bytes, (int)key_size, (const unsigned char *)message.data,
		  message.size, digest, &digest_size))
		abort(); /* it lacks nothing but memory */
	free(bytes);
	signature = mem_new(digest_size / 3 * 4 + 5);
	EVP_EncodeBlock((unsigned char *)signature, digest, (int)digest_size);
	return signature;
}
