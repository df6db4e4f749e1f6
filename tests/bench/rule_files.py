"""Rule files of any size, of the kinds that people write, for the bench.

The events are those of PATH: of each thousand, one is in /home/d7, and exactly one rule is true for
it. All other rules look at directories, names and endings beside it, some of them at the same
directories and endings as the events, so that an index has to tell them apart."""

PATH = "home/d{n%1000}/report{n}.docx"
MATCHING = 1000  # one of so many events matches


def mixed(number):
    """The condition of the rule with that number: what a large site has, in turn."""
    n = number
    kinds = [
        f"{{event: created, directory: /projects/p{n}}}",
        f"{{event: [created, written], directory: /home/d{n % 1000}, extension: [.t{n}, .v{n}]}}",
        f"{{event: removed, directory: [/projects/p{n}, /archive/a{n}]}}",
        f"{{event: written, file: /production/line{n}/recipe.csv}}",
        f"{{event: [created, renamed], extension: .x{n}}}",
        f"{{event: created, name: \"invoice-{n}-*.docx\"}}",
        f"{{event: [created, moved_in], path: \"/projects/p{n}/**/final_*.mov\"}}",
        f"{{event: permissions, directory: /secure/s{n}, not: {{directory: /secure/s{n}/public}}}}",
        f"{{event: any, any: [{{directory: /lab/l{n}, extension: [.raw, .tif]}},"
        f" {{directory: /lab/import, name: \"l{n}_*\"}}], not: {{name: \"~*\"}}}}",
        f"{{event: renamed, old_extension: .y{n}, not: {{extension: [.bak, .tmp]}}}}",
    ]
    if n % 100 == 50:
        return f"{{event: created, regex: '/batch{n}/[0-9]{{4}}-[0-9]{{2}}/.*\\.csv$'}}"
    return kinds[n % len(kinds)]


def rule_file(count, action="log: {file: /dev/null}"):
    """count rules; the first is true for one event in MATCHING, the others for none."""
    lines = ["version: 1", "watched_items:", "  - name: matching",
             "    when: {event: created, directory: /home/d7, extension: .docx}",
             f"    actions: [{{{action}}}]"]
    for n in range(1, count):
        lines += [f"  - name: rule-{n}", f"    when: {mixed(n)}", "    actions: [log]"]
    return "\n".join(lines) + "\n"
