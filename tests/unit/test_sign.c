#include "check.h"

#include "io/sign.h"

/* From the documentation of Standard Webhooks. */
static void a_message_is_signed_as_the_standard_shows_it(void **state)
{
	AUTO(free)
	char *signature = sign_message(TEXT("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
				       TEXT("msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330."
					    "{\"test\": 2432232314}"));

	assert_string_equal(signature, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

/* RFC 4231, test case 2. */
static void any_other_key_is_its_own_bytes(void **state)
{
	AUTO(free)
	char *signature = sign_message(TEXT("Jefe"), TEXT("what do ya want for nothing?"));
	AUTO(free) char *broken = sign_message(TEXT("whsec_*"), TEXT("x"));

	assert_string_equal(signature, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
	assert_int_equal(strlen(broken), 44);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_signed_as_the_standard_shows_it),
		cmocka_unit_test(any_other_key_is_its_own_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
