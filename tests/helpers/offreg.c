// SPDX-License-Identifier: Apache-2.0

// Drives Windows' own code for registry hives: the offline registry library,
// whose DLL is the first argument, and the kernel, by RegLoadAppKeyW. Carries
// out one command per line of standard input; text in hexadecimal is UTF-16LE.
//
//   read FILE                      print the hive, as offreg reads it
//   load FILE                      print the hive, as the kernel reads it
//   new                            create a hive; the root is the key in use
//   key PATH-IN-HEX                create a key, which is then the key in use
//   value TYPE NAME-IN-HEX DATA-IN-HEX
//   save MAJOR MINOR FILE          save the hive for that version of Windows
//
// A hive is printed as lines "k DEPTH NAME DESCRIPTOR" and "v TYPE NAME DATA",
// all but numbers in hexadecimal and "-" if empty. "! WHAT ERROR" reports a
// failure, "." ends each answer.

#include <windows.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LINE = 1 << 22, MOST_NAME = 1 << 15, MOST_DEPTH = 600 };
enum {
  PARTS = OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION |
          DACL_SECURITY_INFORMATION
};

static char line[MOST_LINE];
static unsigned char data[MOST_LINE / 2];
static WCHAR name[MOST_NAME];

// What the library and the kernel have in common.
struct reader {
  DWORD(WINAPI *open_hive)(const WCHAR *path, HKEY *root);
  DWORD(WINAPI *close_hive)(HKEY root);
  DWORD(WINAPI *open_key)(HKEY key, const WCHAR *name, HKEY *subkey);
  DWORD(WINAPI *close_key)(HKEY key);
  DWORD(WINAPI *enum_key)
  (HKEY key, DWORD index, WCHAR *name, DWORD *length, WCHAR *class,
   DWORD *class_length, FILETIME *time);
  DWORD(WINAPI *enum_value)
  (HKEY key, DWORD index, WCHAR *name, DWORD *length, DWORD *type, BYTE *data,
   DWORD *size);
  DWORD(WINAPI *get_security)
  (HKEY key, SECURITY_INFORMATION parts, void *descriptor, DWORD *size);
};

// What the library has beyond that: it writes hives.
struct writer {
  DWORD(WINAPI *create_hive)(HKEY *root);
  DWORD(WINAPI *create_key)
  (HKEY key, const WCHAR *name, WCHAR *class, DWORD options, void *descriptor,
   HKEY *subkey, DWORD *disposition);
  DWORD(WINAPI *set_value)
  (HKEY key, const WCHAR *name, DWORD type, const BYTE *data, DWORD size);
  DWORD(WINAPI *save_hive)
  (HKEY root, const WCHAR *path, DWORD major, DWORD minor);
};

static DWORD WINAPI load_app_key(const WCHAR *path, HKEY *root) {
  return RegLoadAppKeyW(path, root, KEY_READ, REG_PROCESS_APPKEY, 0);
}

static DWORD WINAPI close_key(HKEY key) { return RegCloseKey(key); }

static DWORD WINAPI open_key(HKEY key, const WCHAR *path, HKEY *subkey) {
  return RegOpenKeyExW(key, path, REG_OPTION_OPEN_LINK, KEY_READ, subkey);
}

static DWORD WINAPI enum_key(HKEY key, DWORD index, WCHAR *found, DWORD *length,
                             WCHAR *class, DWORD *class_length,
                             FILETIME *time) {
  return RegEnumKeyExW(key, index, found, length, NULL, class, class_length,
                       time);
}

static DWORD WINAPI enum_value(HKEY key, DWORD index, WCHAR *found,
                               DWORD *length, DWORD *type, BYTE *content,
                               DWORD *size) {
  return RegEnumValueW(key, index, found, length, NULL, type, content, size);
}

static DWORD WINAPI get_security(HKEY key, SECURITY_INFORMATION parts,
                                 void *descriptor, DWORD *size) {
  return RegGetKeySecurity(key, parts, descriptor, size);
}

static const struct reader kernel = {load_app_key, close_key, open_key,
                                     close_key,    enum_key,  enum_value,
                                     get_security};

static void complain(const char *what, DWORD error) {
  printf("! %s %lu\n", what, (unsigned long)error);
}

static void print_hex(const void *bytes, size_t size) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < size; i++) {
    unsigned char byte = ((const unsigned char *)bytes)[i];
    putchar(digits[byte >> 4]);
    putchar(digits[byte & 15]);
  }
  if (size == 0)
    putchar('-');
}

static void print_values(const struct reader *reader, HKEY key) {
  for (DWORD index = 0;; index++) {
    DWORD length = MOST_NAME, type = 0, size = sizeof data;
    DWORD error =
        reader->enum_value(key, index, name, &length, &type, data, &size);
    if (error == ERROR_NO_MORE_ITEMS)
      return;
    if (error) {
      complain("value", error);
      return;
    }
    printf("v %lu ", (unsigned long)type);
    print_hex(name, length * sizeof *name);
    putchar(' ');
    print_hex(data, size);
    putchar('\n');
  }
}

static void print_key(const struct reader *reader, HKEY key, DWORD depth,
                      const WCHAR *called) {
  printf("k %lu ", (unsigned long)depth);
  print_hex(called, wcslen(called) * sizeof *called);
  putchar(' ');
  DWORD size = 0;
  DWORD error = reader->get_security(key, PARTS, data, &size);
  if ((error == ERROR_MORE_DATA || error == ERROR_INSUFFICIENT_BUFFER) &&
      size <= sizeof data)
    error = reader->get_security(key, PARTS, data, &size);
  print_hex(data, error ? 0 : size);
  putchar('\n');
  if (error)
    complain("security", error);
  print_values(reader, key);
  for (DWORD index = 0; depth < MOST_DEPTH; index++) {
    WCHAR below[256 + 1];
    DWORD length = sizeof below / sizeof *below;
    error = reader->enum_key(key, index, below, &length, NULL, NULL, NULL);
    if (error == ERROR_NO_MORE_ITEMS)
      return;
    HKEY subkey = NULL;
    if (!error)
      error = reader->open_key(key, below, &subkey);
    if (error) {
      complain("subkey", error);
      return;
    }
    print_key(reader, subkey, depth + 1, below);
    reader->close_key(subkey);
  }
  complain("depth", depth);
}

static void print_hive(const struct reader *reader, const WCHAR *path) {
  HKEY root = NULL;
  DWORD error = reader->open_hive(path, &root);
  if (error) {
    complain("hive", error);
    return;
  }
  print_key(reader, root, 0, L"");
  reader->close_hive(root);
}

static size_t from_hex(const char *digits, void *bytes, size_t room) {
  size_t size = 0;
  for (; size < room && isxdigit((unsigned char)*digits); digits += 2) {
    const char byte[3] = {digits[0], digits[1], 0};
    ((unsigned char *)bytes)[size++] = (unsigned char)strtoul(byte, NULL, 16);
  }
  return size;
}

static void wide_from_hex(const char *digits) {
  name[from_hex(digits, name, sizeof name - sizeof *name) / sizeof *name] = 0;
}

static DWORD create(const struct writer *writer, HKEY root, char *words,
                    HKEY *key) {
  wide_from_hex(words);
  return writer->create_key(root, name, NULL, 0, NULL, key, NULL);
}

static DWORD set(const struct writer *writer, HKEY key, char *words) {
  char *type = strtok(words, " "), *named = strtok(NULL, " ");
  char *digits = strtok(NULL, " ");
  if (digits == NULL)
    return ERROR_INVALID_PARAMETER;
  wide_from_hex(named);
  DWORD size = (DWORD)from_hex(digits, data, sizeof data);
  return writer->set_value(key, name, strtoul(type, NULL, 10), data, size);
}

static WCHAR *wide(const char *path) {
  static WCHAR converted[MOST_NAME];
  if (!MultiByteToWideChar(CP_UTF8, 0, path, -1, converted, MOST_NAME))
    converted[0] = 0;
  return converted;
}

static DWORD save(const struct writer *writer, HKEY root, char *words) {
  char *rest = words;
  DWORD major = strtoul(rest, &rest, 10), minor = strtoul(rest, &rest, 10);
  return writer->save_hive(root, wide(rest + (*rest == ' ')), major, minor);
}

static FARPROC find(HMODULE library, const char *function) {
  FARPROC found = GetProcAddress(library, function);
  if (found == NULL) {
    fprintf(stderr, "the library has no function %s\n", function);
    exit(3);
  }
  return found;
}

static char *after(const char *word) {
  size_t length = strlen(word);
  return strncmp(line, word, length) == 0 ? line + length : NULL;
}

static void serve(const struct reader *reader, const struct writer *writer) {
  HKEY root = NULL, key = NULL;
  while (fgets(line, sizeof line, stdin)) {
    char *words;
    DWORD error = ERROR_INVALID_FUNCTION;
    line[strcspn(line, "\r\n")] = 0;
    if ((words = after("read "))) {
      print_hive(reader, wide(words));
      error = 0;
    } else if ((words = after("load "))) {
      print_hive(&kernel, wide(words));
      error = 0;
    } else if (after("new")) {
      error = writer->create_hive(&root);
      key = root;
    } else if ((words = after("key "))) {
      error = create(writer, root, words, &key);
    } else if ((words = after("value "))) {
      error = set(writer, key, words);
    } else if ((words = after("save "))) {
      error = save(writer, root, words);
    }
    if (error)
      complain(line, error);
    puts(".");
    fflush(stdout);
  }
}

#define FIND(member, function) *(FARPROC *)&member = find(library, function)

int main(int count, char **arguments) {
  struct reader reader;
  struct writer writer;
  HMODULE library = count == 2 ? LoadLibraryW(wide(arguments[1])) : NULL;
  if (library == NULL) {
    fprintf(stderr, "usage: offreg DLL; no library is loaded: error %lu\n",
            (unsigned long)GetLastError());
    return 2;
  }
  FIND(reader.open_hive, "OROpenHive");
  FIND(reader.close_hive, "ORCloseHive");
  FIND(reader.open_key, "OROpenKey");
  FIND(reader.close_key, "ORCloseKey");
  FIND(reader.enum_key, "OREnumKey");
  FIND(reader.enum_value, "OREnumValue");
  FIND(reader.get_security, "ORGetKeySecurity");
  FIND(writer.create_hive, "ORCreateHive");
  FIND(writer.create_key, "ORCreateKey");
  FIND(writer.set_value, "ORSetValue");
  FIND(writer.save_hive, "ORSaveHive");
  serve(&reader, &writer);
  return 0;
}
