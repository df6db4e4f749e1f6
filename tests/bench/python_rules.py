#!/usr/bin/python3
"""A bare loop over rules as a person writes it: json, and for each event each rule's expressions.

    python_rules.py FORMS EVENTS MOST_S

Stops after MOST_S seconds. Prints what rules_bench prints."""

import json
import re
import resource
import sys
import time

KINDS = {
    "created": {"child_file_added", "child_dir_added"},
    "removed": {"child_file_removed", "child_dir_removed"},
    "written": {"child_data_written", "child_size_changed"},
    "permissions": {"child_acl_changed", "child_owner_changed", "child_group_changed"},
    "renamed": set(), "moved_in": set(),  # somebody would have to pair the halves
}


class Everything:
    def __contains__(self, kind):
        return True


def read_rules(path):
    rules = []
    for line in open(path):
        sign, *words = line.rstrip("\n").split("\t")
        if sign == "R":
            kinds = words[0].split("|")
            types = Everything() if "any" in kinds else set().union(*(KINDS[kind] for kind in kinds))
            rules.append((types, [], []))
        else:
            rules[-1][1 if sign == "+" else 2].append(re.compile(words[2]).search)
    return rules


def judge(rules, line, number):
    """(events, matches, hash)"""
    matches = hashed = count = 0
    for event in json.loads(line):
        kind, path = event["type"], "/" + event["path"]
        for index, (types, wanted, barred) in enumerate(rules):
            if kind in types and any(search(path) for search in wanted) and not any(search(path) for search in barred):
                matches += 1
                hashed += (number + count + 1) * (index + 1) * 1000003
        count += 1
    return count, matches, hashed


def resident_mib():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / (1 << 20)


def main():
    forms, events, most_s = sys.argv[1], sys.argv[2], float(sys.argv[3])
    resident, began = resident_mib(), time.process_time()
    re.purge()
    rules = read_rules(forms)
    compiled_s, resident = time.process_time() - began, resident_mib() - resident
    count = matches = hashed = 0
    start = time.process_time()
    for line in open(events):
        more = judge(rules, line, count)
        count, matches, hashed = count + more[0], matches + more[1], hashed + more[2]
        if time.process_time() - start >= most_s:
            break
    spent = time.process_time() - start
    print(json.dumps({"compile_cpu_s": compiled_s, "resident_mib": resident, "first": count, "events": count,
                      "matches": matches, "hash": hashed % (1 << 64), "cpu_s": spent}))


if __name__ == "__main__":
    main()
