"""People who work below a directory of the cluster, each time on something else."""

import contextlib
import os
import shutil

ENDINGS = ["", "", "", ".bad", ".part", ".sec"]
OURS = "quarantine"  # the monitor's: nobody else writes there


class Users:
    """They write, move and delete below root, as the dice say. If only a directory of it is watched,
    nothing that left that comes back: the two moves would look like a rename."""

    def __init__(self, root, rng, watched):
        self.root, self.rng, self.watched, self.made = str(root), rng, str(watched), 0
        self.away = self.root + "/away"
        if self.watched != self.root:
            os.makedirs(self.away, exist_ok=True)

    def all(self):
        """(files, directories), without the monitor's own."""
        files, directories = [], []
        for folder, names, found in os.walk(self.root):
            names[:] = sorted(name for name in names if name not in (OURS, ".cn_monitor", "away"))
            directories += [os.path.join(folder, name) for name in names]
            files += [os.path.join(folder, name) for name in sorted(found)]
        return files, directories

    def fresh(self, directories, is_file=True):
        self.made += 1
        ending = self.rng.choice(ENDINGS) if is_file else ""
        return os.path.join(self.rng.choice([*directories, self.root]), f"n{self.made}{ending}")

    def target(self, source, directories, is_file=True):
        """Where it may be moved."""
        path = self.fresh(directories, is_file)
        is_out = self.watched != self.root and source.startswith(self.watched + "/") \
            and not path.startswith(self.watched + "/")
        return os.path.join(self.away, os.path.basename(path)) if is_out else path

    def act(self):
        rng = self.rng
        files, directories = self.all()
        movable = [path for path in directories if path != self.watched]
        what = rng.choice(["create"] * 3 + ["mkdir"] + ["write", "move", "move tree"] * 2
                          + ["remove", "remove tree", "replace", "chmod"])
        with contextlib.suppress(OSError, IndexError):  # into itself, or there is nothing yet
            if what == "create":
                with open(self.fresh(directories), "w") as file:
                    file.write("x" * rng.randrange(3))
            elif what == "mkdir":
                os.mkdir(self.fresh(directories, is_file=False))
            elif what == "write":
                with open(rng.choice(files), "r+") as file:  # the monitor may have moved it meanwhile
                    file.seek(0, os.SEEK_END)
                    file.write("y")
            elif what == "move":
                source = rng.choice(files)
                os.rename(source, self.target(source, directories))
            elif what == "move tree":
                source = rng.choice(movable)
                os.rename(source, self.target(source, directories, is_file=False))
            elif what == "remove":
                os.unlink(rng.choice(files))
            elif what == "remove tree":
                shutil.rmtree(rng.choice(movable))
            elif what == "replace":
                source, target = rng.choice(files), rng.choice(files)
                if self.watched == self.root or os.path.dirname(target).startswith(self.watched):
                    os.rename(source, target)
            else:
                os.chmod(rng.choice(files), rng.choice([0o600, 0o640, 0o644]))
