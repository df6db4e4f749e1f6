"""Kubernetes manifests and compose files, against the descriptions of what there is."""

import re
import shutil

from tools import DEPLOY, ROOT, WORK, Skip, need, run


def npm_tools():
    """The checkers beside the packages that they need, in the build folder."""
    WORK.mkdir(parents=True, exist_ok=True)
    source = ROOT / "tests" / "deploy"
    for path in source.glob("*.mjs"):
        shutil.copy(path, WORK)
    wanted = (source / "package.json").read_text()
    ours, done = WORK / "package.json", WORK / "installed.json"
    if done.exists() and done.read_text() == wanted:
        return
    print("Installing the packages of tests/deploy/package.json with npm", flush=True)
    ours.write_text(wanted)
    for _ in range(3):  # the registry may be away for a moment
        status, output = run("npm", "install", "--prefix", WORK, "--no-audit", "--no-fund", "--no-package-lock",
                             "--ignore-scripts", timeout=300)
        if not status:
            done.write_text(wanted)
            return
    raise Skip("npm cannot install what checks the manifests: " + output.strip()[-300:])


def overlays():
    return sorted(p for p in (DEPLOY / "kubernetes" / "overlays").iterdir() if p.is_dir())


def manifests_step(count):
    """Kubernetes manifests and the compose files, against the descriptions of what there is."""
    need(kubectl="kubernetes-client", node="nodejs", npm="npm")
    npm_tools()
    for overlay in overlays():
        status, output = run("kubectl", "kustomize", overlay)
        if not count.check(f"kustomize puts the overlay {overlay.name} together", status == 0, output):
            continue
        path = WORK / f"{overlay.name}.yaml"
        path.write_text(output)
        status, said = run("node", WORK / "check_manifests.mjs", path)
        count.check(f"what it gives is valid: {len(said.splitlines())} objects", status == 0, said)
        restricted(count, overlay.name, output)
        path.write_text(output.replace("readOnlyRootFilesystem", "readOnlyRootFileSystem"))
        count.check("the check sees a mistyped key", run("node", WORK / "check_manifests.mjs", path)[0] == 1)
    files = [p for p in sorted((DEPLOY / "kubernetes").rglob("*.yaml")) if p.name != "kustomization.yaml"
             and p.name != "watched_items.yml"]
    _, said = run("node", WORK / "check_manifests.mjs", *files)
    for line in said.splitlines():
        if line.startswith(("ok", "not ok")):
            count.check(line.replace(str(ROOT) + "/", "").removeprefix("ok ").removeprefix("not ok "),
                        line.startswith("ok"), said)
    compose_files(count)


def restricted(count, name, text):
    """Each pod fits the profile `restricted`, and takes no environment from other services."""
    pods = text.count("\n      containers:")
    for line in ("runAsNonRoot: true", "type: RuntimeDefault", "enableServiceLinks: false",
                 "automountServiceAccountToken: false", "allowPrivilegeEscalation: false",
                 "readOnlyRootFilesystem: true", "- ALL"):
        found = len(re.findall(rf"^ {{6,}}{re.escape(line)}$", text, re.M))
        count.check(f"{name}: {line} in each of {pods} pods", pods and found == pods, f"found {found}")


def compose_files(count):
    folder = DEPLOY / "compose"
    # What the example sets must be what the compose files know.
    example = re.findall(r"^#?(CN_\w+)=", (folder / "env.example").read_text(), re.M)
    for name in ("compose.yaml", "compose.embedded.yaml"):
        status, said = run("node", WORK / "check_compose.mjs", folder / name)
        count.check(f"{name} fits the specification's schema", status == 0, said)
        text = (folder / name).read_text()
        unknown = [word for word in example if "${" + word not in text and "REDIS" not in word and "STORE" not in word]
        count.check(f"{name} knows every variable of env.example", example and not unknown, str(unknown))
    text = (folder / "compose.yaml").read_text()
    unknown = [word for word in example if "${" + word not in text]
    count.check("compose.yaml knows those about Redis, too", not unknown, str(unknown))
