/*
 * Prints the values of SML files as libsml reads them, for a comparison with another decoder.
 *
 *   libsml-dump COUNT < files     COUNT whole files one behind the other; libsml's own transport finds them
 *
 * One line "file" for each, then one for each value: code, status, unit, scaler ("-" where absent), and the value as i (integer),
 * u (unsigned), o (octets in hexadecimal), b (boolean) or - (absent).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <sml/sml_file.h>
#include <sml/sml_transport.h>
#include <sml/sml_value.h>

#define MAX_FILE_BYTES 16384

static void print_unsigned(int type, const void *data) {
	switch (type & SML_LENGTH_FIELD) {
	case 1: printf("%" PRIu8, *(const uint8_t *)data); break;
	case 2: printf("%" PRIu16, *(const uint16_t *)data); break;
	case 4: printf("%" PRIu32, *(const uint32_t *)data); break;
	case 8: printf("%" PRIu64, *(const uint64_t *)data); break;
	default: printf("?");
	}
}

static void print_integer(int type, const void *data) {
	switch (type & SML_LENGTH_FIELD) {
	case 1: printf("%" PRId8, *(const int8_t *)data); break;
	case 2: printf("%" PRId16, *(const int16_t *)data); break;
	case 4: printf("%" PRId32, *(const int32_t *)data); break;
	case 8: printf("%" PRId64, *(const int64_t *)data); break;
	default: printf("?");
	}
}

static void print_octets(const octet_string *octets) {
	for (int at = 0; at < octets->len; at++) printf("%02x", octets->str[at]);
}

static void print_value(const sml_value *value) {
	if (value == NULL) {
		printf("-");
	} else if (value->type == SML_TYPE_OCTET_STRING) {
		/* No bytes stand for no value, and libsml then has no string. */
		if (value->data.bytes == NULL) {
			printf("-");
			return;
		}
		printf("o ");
		print_octets(value->data.bytes);
	} else if (value->type == SML_TYPE_BOOLEAN) {
		printf("b %s", *value->data.boolean ? "true" : "false");
	} else if ((value->type & SML_TYPE_FIELD) == SML_TYPE_INTEGER) {
		printf("i ");
		print_integer(value->type, value->data.int64);
	} else {
		printf("u ");
		print_unsigned(value->type, value->data.uint64);
	}
}

static void print_entry(const sml_list *entry) {
	const unsigned char *name = entry->obj_name->str;
	printf("%d-%d:%d.%d.%d*%d ", name[0], name[1], name[2], name[3], name[4], name[5]);
	if (entry->status == NULL) printf("-");
	else print_unsigned(entry->status->type, entry->status->data.status64);
	if (entry->unit == NULL) printf(" -");
	else printf(" %d", *entry->unit);
	if (entry->scaler == NULL) printf(" - ");
	else printf(" %d ", *entry->scaler);
	print_value(entry->value);
	printf("\n");
}

static void print_file(unsigned char *bytes, size_t length) {
	sml_file *file = sml_file_parse(bytes + 8, length - 16);
	printf("file\n");
	for (int at = 0; at < file->messages_len; at++) {
		sml_message *message = file->messages[at];
		if (*message->message_body->tag != SML_MESSAGE_GET_LIST_RESPONSE) continue;
		sml_get_list_response *list = message->message_body->data;
		for (sml_list *entry = list->val_list; entry != NULL; entry = entry->next) print_entry(entry);
	}
	sml_file_free(file);
}

int main(int argc, char **argv) {
	static unsigned char bytes[MAX_FILE_BYTES];
	int count = argc == 2 ? atoi(argv[1]) : 0;
	for (int file = 0; file < count; file++) {
		size_t length = sml_transport_read(0, bytes, sizeof bytes);
		if (length < 16) printf("file\nrefused\n");
		else print_file(bytes, length);
	}
	return 0;
}
