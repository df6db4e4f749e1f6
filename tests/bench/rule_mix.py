"""Rules of a realistic mix with events that concern them, for the bench of rules.

Each rule is there twice: as watched_items.yml has it, and as patterns for those who know nothing but
patterns: an event is of one of the rule's kinds, one of its wanted patterns matches, and none of the
others. A pattern is a glob (for fnmatch) and a regular expression; both mean the same for these
events.

Whatever the number of rules, one event in TRUE_EACH is true for a rule, a third nearly is."""

import json
import random
import re

TRUE_EACH = 10
MESSAGE = 100  # events in a message


class Form:
    """A pattern; of a name where on is "n", else of the path."""

    def __init__(self, glob, regex, on="p"):
        self.glob, self.regex, self.on = glob, regex, on


def below(directory):
    return Form(f"{directory}/*", f"^{re.escape(directory)}/")


def ending(extension, directory=""):
    start = f"^{re.escape(directory)}/.*" if directory else ""
    return Form(f"{directory}/*[!/]{extension}", f"{start}[^/]{re.escape(extension)}$")


def named(start, middle, end):
    """name: start*end"""
    return Form(f"{start}*{end}", f"/{re.escape(start)}{middle}{re.escape(end)}$", "n")


class Rule:
    def __init__(self, when, kinds, wanted, barred=()):
        self.when, self.kinds, self.wanted, self.barred = when, kinds, wanted, barred


# Each by the rule's number n. What an event says that makes it true stands beside it, in hits().

def project(n):
    return Rule(f"{{event: created, directory: /projects/p{n}}}", "created", [below(f"/projects/p{n}")])


def home(n):
    place = f"/home/d{n % 1000}"
    return Rule(f"{{event: [created, written], directory: {place}, extension: [.t{n}, .v{n}]}}", "created|written",
                [ending(f".t{n}", place), ending(f".v{n}", place)])


def archive(n):
    return Rule(f"{{event: removed, directory: [/archive/a{n}, /vault/a{n}]}}", "removed",
                [below(f"/archive/a{n}"), below(f"/vault/a{n}")])


def recipe(n):
    path = f"/production/line{n}/recipe.csv"
    return Rule(f"{{event: written, file: {path}}}", "written", [Form(path, f"^{re.escape(path)}$")])


def extension(n):
    return Rule(f"{{event: [created, renamed], extension: .x{n}}}", "created|renamed", [ending(f".x{n}")])


def invoice(n):
    return Rule(f"{{event: created, name: \"invoice-{n}-*.docx\"}}", "created",
                [named(f"invoice-{n}-", "[^/]*", ".docx")])


def final_cut(n):
    return Rule(f"{{event: [created, moved_in], path: \"/projects/p{n}/**/final_*.mov\"}}", "created|moved_in",
                [Form(f"/projects/p{n}/*/final_*.mov", f"^/projects/p{n}/(.*/)?final_[^/]*\\.mov$"),
                 Form(f"/projects/p{n}/final_*.mov", f"^/projects/p{n}/final_[^/]*\\.mov$")])


def secure(n):
    return Rule(f"{{event: permissions, directory: /secure/s{n}, not: {{directory: /secure/s{n}/public}}}}",
                "permissions", [below(f"/secure/s{n}")], [below(f"/secure/s{n}/public")])


def lab(n):
    return Rule(f"{{event: any, any: [{{directory: /lab/l{n}, extension: [.raw, .tif]}},"
                f" {{directory: /lab/import, name: \"l{n}_*\"}}], not: {{name: \"~*\"}}}}", "any",
                [ending(".raw", f"/lab/l{n}"), ending(".tif", f"/lab/l{n}"),
                 Form(f"/lab/import/*l{n}_*", f"^/lab/import/(.*/)?l{n}_[^/]*$")],
                [Form("~*", "/~[^/]*$", "n")])


def old_extension(n):
    """Asks for the path before a rename. No event of the bench is one, for nobody else could say."""
    return Rule(f"{{event: renamed, old_extension: .y{n}, not: {{extension: [.bak, .tmp]}}}}", "renamed", [])


def batch(n):
    return Rule(f"{{event: created, regex: '/batch{n}/[0-9]{{4}}-[0-9]{{2}}/.*\\.csv$'}}", "created",
                [Form(f"*/batch{n}/[0-9][0-9][0-9][0-9]-[0-9][0-9]/*.csv", f"/batch{n}/[0-9]{{4}}-[0-9]{{2}}/.*\\.csv$")])


KINDS = [project, home, archive, recipe, extension, invoice, final_cut, secure, lab, old_extension]
FIRST = Rule("{event: created, directory: /home/d7, extension: .docx}", "created", [ending(".docx", "/home/d7")])


def rule(n):
    if n == 0:
        return FIRST
    return batch(n) if n % 100 == 50 else KINDS[n % len(KINDS)](n)


def hit(n, i):
    """(type, path) of an event that is true for rule n, if there is one."""
    if n == 0 or n % 10 == 9:
        return "child_file_added", f"home/d7/report{i}.docx"
    if n % 100 == 50:
        return "child_file_added", f"incoming/batch{n}/2026-11/part{i}.csv"
    return [("child_file_added", f"projects/p{n}/scenes/s{i % 40}/plate{i}.exr"),
            ("child_data_written", f"home/d{n % 1000}/work/model{i}.t{n}"),
            ("child_file_removed", f"archive/a{n}/2024/set{i}.tar"),
            ("child_data_written", f"production/line{n}/recipe.csv"),
            ("child_file_added", f"data/pool{i % 50}/sample{i}.x{n}"),
            ("child_file_added", f"office/inbox/invoice-{n}-{i}.docx"),
            ("child_file_added", f"projects/p{n}/edit/final_{i}.mov"),
            ("child_acl_changed", f"secure/s{n}/payroll/{i}.xlsx"),
            ("child_file_added", f"lab/l{n}/run{i % 300}/image{i}.tif")][n % 10]


def near(n, i):
    """An event that has something of rule n, and not all that it takes."""
    return [("child_file_removed", f"projects/p{n}/scenes/s{i % 40}/plate{i}.exr"),
            ("child_file_added", f"home/d{n % 1000}/work/report{i}.docx2"),
            ("child_file_added", f"archive/a{n}/2024/set{i}.tar"),
            ("child_data_written", f"production/line{n}/recipe.csv.new"),
            ("child_data_written", f"data/pool{i % 50}/sample{i}.x{n}"),
            ("child_file_added", f"office/inbox/invoice-{n}-{i}.pdf"),
            ("child_file_added", f"projects/p{n}x/edit/final_{i}.mov"),
            ("child_acl_changed", f"secure/s{n}/public/{i}.xlsx"),
            ("child_file_added", f"lab/l{n}/run{i % 300}/~image{i}.tif"),
            ("child_file_moved_to", f"home/d{n % 1000}/work/model{i}.y{n}")][n % 10]


def other(i, chance):
    """What else happens at a site."""
    return [("child_data_written", f"var/log/app{i % 20}/service.log"),
            ("child_file_added", f"home/u{i % 5000}/Documents/Projects/2026/notes-{i}.md"),
            ("child_mtime_changed", f"home/u{i % 5000}/.cache/thumbnails/{i:08x}.png"),
            ("child_file_added", f"media/raw/card{i % 99}/DCIM/100CANON/IMG_{i % 10000:04}.CR3"),
            ("child_dir_added", f"scratch/job{i}/tmp"),
            ("child_file_removed", f"scratch/job{i}/tmp/part-{i % 100:05}.parquet")][chance.randrange(6)]


def events(count, total):
    """total events for a set of count rules, as (type, path)."""
    chance = random.Random(count)
    for i in range(total):
        n, share = chance.randrange(count), chance.random()
        if share < 1 / TRUE_EACH:
            yield hit(n, i)
        elif share < 1 / TRUE_EACH + 1 / 3:
            yield near(n, i)
        else:
            yield other(i, chance)


def write_rules(path, count):
    lines = ["version: 1", "watched_items:"]
    for n in range(count):
        lines.append(f"- name: rule-{n}\n  when: {rule(n).when}\n  actions: [log]")
    path.write_text("\n".join(lines) + "\n")


def write_forms(path, count):
    """R, kinds; then each pattern: + or -, what it is of, glob, regular expression."""
    lines = []
    for n in range(count):
        made = rule(n)
        lines.append(f"R\t{made.kinds}")
        lines += [f"+\t{form.on}\t{form.glob}\t{form.regex}" for form in made.wanted]
        lines += [f"-\t{form.on}\t{form.glob}\t{form.regex}" for form in made.barred]
    path.write_text("\n".join(lines) + "\n")


def write_events(path, count, total):
    """A message a line, as the cluster sends them."""
    with path.open("w") as file:
        message = []
        for n, (kind, name) in enumerate(events(count, total)):
            message.append({"type": kind, "path": name, "spine": ["2", str(1000 + n % 977), str(5000000 + n)],
                            "stream_name": None})
            if len(message) == MESSAGE:
                file.write(json.dumps(message, separators=(",", ":")) + "\n")
                message = []
