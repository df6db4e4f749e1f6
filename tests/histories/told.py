"""What events tell, replayed in their order."""

import os


class Told:
    """What is there as far as events tell it: path -> file id. Each file has one name."""

    def __init__(self):
        self.there, self.twice = {}, []
        self.gone = {}       # id -> from where it moves, and what was below; the other half comes yet
        self.half_told = {}  # id -> from where it moved, which the other half tells later
        self.ended = set()   # ids that were told to be removed, or to have moved out

    def where(self, id):
        return next((path for path, other in self.there.items() if other == id), None)

    def take_out(self, path):
        below = {p: i for p, i in self.there.items() if p == path or p.startswith(path + "/")}
        for p in below:
            del self.there[p]
        return below

    def put(self, old, below, to):
        for path, id in below.items():
            if not self.where(id) and id not in self.ended:  # else it moved on its own meanwhile
                self.there[to + path[len(old):]] = id

    def place(self, event):
        """A repair tells where something was at its snapshot: its directory may be elsewhere now."""
        parent = event["origin"] != "live" and self.where(event.get("parent_id"))
        return os.path.join(parent, os.path.basename(event["path"])) if parent else event["path"]

    def hear(self, event):
        kind = event["type"].split("_", 2)[2]
        if kind in ("added", "moved_to", "moved_from", "removed"):
            getattr(self, kind)(event, event["file_id"])
        elif event["origin"] == "live":
            self.ended.discard(event["file_id"])  # it came back with its directory

    def added(self, event, id):
        path = self.place(event)
        if self.there.get(path) == id:
            self.twice.append(event)
        if event["origin"] == "live" or event.get("parent_id") not in self.ended:
            self.there[path] = id  # else its directory is not there any more
            self.ended.discard(id)

    def moved_to(self, event, id):
        path, now, old = self.place(event), self.where(id), event["label"].get("old_path")
        if now == path:
            self.twice.append(event)
        elif now:
            self.put(now, self.take_out(now), to=path)
        if old:
            self.put(*self.gone.pop(id, (old, {})), to=path)
            self.half_told[id] = old
        self.there[path] = id
        self.ended.discard(id)

    def moved_from(self, event, id):
        path, now = event["path"], self.where(id)
        is_out = "new" in event.get("label", {}).get("rules", [])  # as the rules say
        if is_out and event["origin"] == "repair" and now != path:
            return  # it has gone farther since
        # In a gap it may have come here unheard; of what is in it may be known already.
        below = self.take_out(path) if self.there.get(path, id) == id else {}
        if is_out:
            self.take_out(now) if now else None
            self.ended.add(id)
        elif self.half_told.pop(id, None) == path:
            self.put(path, below, to=now)
        else:
            self.gone[id] = (path, below)

    def removed(self, event, id):
        path = self.where(id)
        if path:
            del self.there[path]
        elif event["origin"] == "repair" and id in self.ended:
            self.twice.append(event)  # of others: it had left with its directory
        self.ended.add(id)
