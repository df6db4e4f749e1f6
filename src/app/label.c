#include "app/label.h"

void label_key(char key[LABEL_KEY_SIZE], uint64_t seq, uint32_t index)
{
	for (int i = 0; i < 8; i++)
		key[i] = (char)(seq >> (56 - 8 * i));
	for (int i = 0; i < 4; i++)
		key[8 + i] = (char)(index >> (24 - 8 * i));
}

bool label_key_read(struct text key, uint64_t *out_seq, uint32_t *out_index)
{
	if (key.size != LABEL_KEY_SIZE)
		return false;
	*out_seq = 0;
	*out_index = 0;
	for (int i = 0; i < 8; i++)
		*out_seq = *out_seq << 8 | (unsigned char)key.data[i];
	for (int i = 8; i < LABEL_KEY_SIZE; i++)
		*out_index = *out_index << 8 | (unsigned char)key.data[i];
	return true;
}

int label_put(struct store_txn *txn, uint64_t seq, uint32_t index, const json_t *label,
	      struct error *err)
{
	char key[LABEL_KEY_SIZE];
	AUTO(free) char *value = json_dumps(label, JSON_COMPACT);

	if (!seq || !value)
		return 0;
	label_key(key, seq, index);
	return store_put(txn, SPACE_LABELS, (struct text){ key, sizeof(key) }, text_of(value), err);
}

int label_get(struct store_txn *txn, uint64_t seq, uint32_t index, json_t **out, struct error *err)
{
	char key[LABEL_KEY_SIZE];
	AUTO(free) char *value = NULL;

	label_key(key, seq, index);
	if (store_get(txn, SPACE_LABELS, (struct text){ key, sizeof(key) }, &value, NULL, err) < 0)
		return -1;
	*out = value ? json_loads(value, 0, NULL) : NULL;
	return 0;
}

void label_append(json_t *label, const char *key, json_t *item)
{
	json_t *list = json_object_get(label, key);

	if (!label) {
		json_decref(item);
		return;
	}
	if (!list) {
		list = json_array();
		json_object_set_new_nocheck(label, key, list);
	}
	json_array_append_new(list, item);
}
