"""Writes backoff.json: what schedules must answer, computed without the crate.

Plain Python on purpose: the generator is written out from its definition (xoshiro256++ of Blackman
and Vigna, seeded by SplitMix64) and every formula is the naive one. Run: python3 backoff.py
"""
import json
import os

MASK = (1 << 64) - 1
MOST = MASK


class Rng:
    def __init__(self, seed):
        self.s = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & MASK
            z = seed
            z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
            self.s.append(z ^ (z >> 31))

    def bits(self):
        s = self.s
        rotl = lambda x, k: ((x << k) | (x >> (64 - k))) & MASK
        result = (rotl((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 45)
        return result

    def unit(self):
        return (self.bits() >> 11) / 2**53


NS = 1_000_000


def raw(o, n):
    base = o.get("delayMs", 100) * NS
    kind = o["strategy"]
    if kind == "constant":
        return base
    if kind == "linear":
        return base + o.get("stepMs", base // NS) * NS * (n - 1)
    if kind == "exponential":
        factor = o.get("factor", 2)
        # Past any cap used here the exact power is of no interest.
        return base * factor ** min(n - 1, 400)
    if kind == "fibonacci":
        a, b = 1, 1
        for _ in range(min(n, 400) - 1):
            a, b = b, a + b
        return base * a
    entries = o["delaysMs"]
    return entries[min(n, len(entries)) - 1] * NS


def waits(o, attempts):
    rng = Rng(o["seed"])
    out, previous = [], 0
    is_list = o["strategy"] == "list"
    base = 0 if is_list else o.get("delayMs", 100) * NS
    cap = o["maxDelayMs"] * NS if "maxDelayMs" in o else MOST if is_list else max(30_000 * NS, base)
    jitter = o.get("jitter", "none" if is_list else 0.25)
    for n in attempts:
        if n >= o.get("maxAttempts", 1 << 60):
            out.append(None)
            continue
        if is_list and not o.get("repeatLast") and n > len(o["delaysMs"]):
            out.append(None)
            continue
        if o["strategy"] == "decorrelated":
            top = min(cap, 3 * max(previous, base))
            u = rng.unit()
            wait = int(base + u * (top - base)) if top > base else base
        else:
            c = min(raw(o, n), cap)
            if jitter == "none":
                wait = int(c)
            elif jitter == "full":
                wait = int(c * rng.unit())
            elif jitter == "equal":
                wait = int(c * 0.5 + c * 0.5 * rng.unit())
            else:
                middle = min(float(c), cap / (1.0 + jitter))
                wait = int(middle + middle * jitter * (2.0 * rng.unit() - 1.0))
        wait = min(wait, cap)
        previous = wait
        out.append(wait / NS)
    return out


FIRST = list(range(1, 13))
FAR = [1, 2, 30, 64, 65, 1023, 1024, 1025, 4096, 2**31, 2**32 - 1]
CASES = [
    ("constant exact", dict(strategy="constant", delayMs=250, jitter="none"), FIRST),
    ("constant default jitter", dict(strategy="constant", delayMs=250), FIRST),
    ("linear", dict(strategy="linear", delayMs=100, jitter="none"), FIRST),
    ("linear step and cap", dict(strategy="linear", delayMs=100, stepMs=70, maxDelayMs=400, jitter="none"), FIRST),
    ("exponential", dict(strategy="exponential", delayMs=100, maxDelayMs=500, jitter="none"), FIRST),
    ("exponential factor 3", dict(strategy="exponential", delayMs=100, factor=3, jitter="none"), [1, 2, 3]),
    ("exponential factor 1.5", dict(strategy="exponential", delayMs=64, factor=1.5, jitter="none"), FIRST),
    ("exponential full", dict(strategy="exponential", delayMs=1000, jitter="full"), FIRST),
    ("exponential equal", dict(strategy="exponential", delayMs=1000, jitter="equal"), FIRST),
    ("exponential share", dict(strategy="exponential", delayMs=1000, jitter=0.1), FIRST),
    ("exponential default jitter at the cap", dict(strategy="exponential", delayMs=1000, maxDelayMs=2000), FIRST),
    ("exponential far", dict(strategy="exponential", delayMs=1000, jitter="full"), FAR),
    ("fibonacci", dict(strategy="fibonacci", delayMs=10, jitter="none"), FIRST),
    ("fibonacci far", dict(strategy="fibonacci", delayMs=10, jitter="equal"), FAR),
    ("linear far", dict(strategy="linear", delayMs=10, jitter="none"), FAR),
    ("decorrelated", dict(strategy="decorrelated", delayMs=100, maxDelayMs=3000), FIRST + FIRST),
    ("decorrelated far", dict(strategy="decorrelated", delayMs=100), FAR),
    ("connection schedule", dict(strategy="list", delaysMs=[100, 250, 500, 1000, 2500, 5000], repeatLast=True), FIRST),
    ("request schedule", dict(strategy="list", delaysMs=[10, 20, 40]), [1, 2, 3, 4, 5]),
    ("connection schedule with a tenth", dict(strategy="list", delaysMs=[100, 250, 500, 1000, 2500, 5000], repeatLast=True, jitter=0.1), FIRST),
    ("list with a cap", dict(strategy="list", delaysMs=[10, 20, 40], maxDelayMs=15), [1, 2, 3, 4]),
    ("three attempts", dict(strategy="constant", delayMs=5, jitter="none", maxAttempts=3), [1, 2, 3, 4]),
    ("no wait", dict(strategy="exponential", delayMs=0, jitter="full"), FIRST),
]

cases = []
for index, (name, options, attempts) in enumerate(CASES):
    options = dict(options, seed=index * 7919 + 1)
    cases.append(dict(name=name, options=options, attempts=attempts, waits=waits(options, attempts)))
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "backoff.json")
with open(path, "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
