#!/usr/bin/env python3
"""embed_text.py NAME FILE... OUT: texts, one behind the other, as a C array of bytes, ended by NUL."""

import sys

name, *sources, out = sys.argv[1:]
data = b"".join(open(source, "rb").read() for source in sources) + b"\0"
with open(out, "w") as c:
    c.write(f"extern const char {name}[];\nconst char {name}[] = {{\n")
    for i in range(0, len(data), 16):
        c.write("\t" + " ".join(f"{byte}," for byte in data[i:i + 16]) + "\n")
    c.write("};\n")
