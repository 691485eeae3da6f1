"""The orders feistel-v1, block-v1 and mixture-v1, written a second time from their descriptions in data/loader/."""
import os
import pathlib
import subprocess

BUILD = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release"))
WORD = 0xFFFFFFFF


def philox4x32(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & WORD, (a >> 32) ^ c[3] ^ k[1], a & WORD]
        k = [(k[0] + 0x9E3779B9) & WORD, (k[1] + 0xBB67AE85) & WORD]
    return c


def derived_seed(seed, purpose, epoch, index):
    """The first 64-bit draw of the generator with this key (base/rng.h)."""
    low, high, *_ = philox4x32((0, index & WORD, index >> 32 | purpose << 16, epoch), (seed & WORD, seed >> 32))
    return low | high << 32


def order(n, seed, epoch):
    half = 1
    while 4**half < n:
        half += 1
    mask = (1 << half) - 1
    for index in range(n):
        value = index
        while True:
            left, right = value >> half, value & mask
            for i in range(8):
                noise = philox4x32((right, i, epoch, 1), (seed & WORD, seed >> 32))[0]
                left, right = right, left ^ (noise & mask)
            value = left << half | right
            if value < n:
                break
        yield value


def test_random_numbers_match_the_published_vector():
    # Random123, kat_vectors: philox4x32-10 of counter and key zero, then of all ones.
    assert philox4x32([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert philox4x32([WORD] * 4, [WORD] * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


def test_order_equals_its_second_implementation():
    for n, seed, epoch in [(1, 0, 0), (2, 1, 0), (5, 3, 7), (16, 9, 1), (17, 9, 1), (1000, 2**40 + 5, 3), (4097, 7, 2**31)]:
        done = subprocess.run([BUILD / "bin" / "image_tool", "order", str(n), str(seed), str(epoch)],
                              capture_output=True, text=True, check=True)
        ours = [int(v) for v in done.stdout.split()]
        assert ours == list(order(n, seed, epoch))
        assert sorted(ours) == list(range(n))


def block_order(n, seed, epoch, block, pool):
    """Consecutive blocks of the rotated dataset in a permuted order, the short one last; then each pool of them mixed."""
    rotation = derived_seed(seed, 12, epoch, 1) % n
    rotated = [(i + rotation) % n for i in range(n)]
    whole = n // block
    turns = order(whole, derived_seed(seed, 12, epoch, 0), 0) if whole else []
    stream = [r for turn in turns for r in rotated[turn * block:(turn + 1) * block]] + rotated[whole * block:]
    pooled = min(pool, -(-n // block)) * block
    out = []
    for number, begin in enumerate(range(0, n, pooled)):
        part = stream[begin:begin + pooled]
        out += [part[i] for i in order(len(part), derived_seed(seed, 12, epoch, 2 + number), 0)]
    return out


def test_block_order_equals_its_second_implementation():
    for n, seed, epoch, block, pool in [(1, 0, 0, 4, 2), (40, 3, 1, 8, 2), (43, 2**40 + 7, 5, 8, 3), (1000, 1, 2, 16, 100),
                                        (1001, 1, 2, 1000, 1), (7, 1, 0, 8, 1)]:
        done = subprocess.run([BUILD / "bin" / "image_tool", "block-order", *map(str, (n, seed, epoch, block, pool))],
                              capture_output=True, text=True, check=True)
        ours = [int(v) for v in done.stdout.split()]
        assert ours == block_order(n, seed, epoch, block, pool)
        assert sorted(ours) == list(range(n))


def mixture(seed, members, draws):
    """members: (slots of every 1000, records). Each block of 1000 positions in an order of its own."""
    queues = []
    for k, (_, records) in enumerate(members):
        member_seed, needed, queue, turn = derived_seed(seed, 13, 0, 1 + k), draws, [], 0
        while len(queue) < needed + 1000:
            queue += list(order(records, member_seed, turn))
            turn += 1
        queues.append(queue)
    firsts = [sum(records for _, records in members[:k]) for k in range(len(members))]
    out = []
    for block in range(-(-draws // 1000)):
        slots = [(k, block * share + i) for k, (share, _) in enumerate(members) for i in range(share)]
        out += [firsts[k] + queues[k][q] for k, q in (slots[i] for i in order(1000, derived_seed(seed, 13, 0, 0), block))]
    return out[:draws]


def test_mixture_equals_its_second_implementation():
    for seed, weights, slots, records in [(5, (0.7, 0.3), (700, 300), (13, 1000)), (9, (1, 1, 1), (334, 333, 333), (7, 50, 2)),
                                          (2**33, (2, 0.0011, 0), (999, 1, 0), (11, 3, 5))]:
        words = [str(seed), "2500"] + [f"{w}:{n}" for w, n in zip(weights, records)]
        done = subprocess.run([BUILD / "bin" / "image_tool", "mixture-order", *words], capture_output=True, text=True, check=True)
        ours = [int(v) for v in done.stdout.split()]
        assert ours == mixture(seed, list(zip(slots, records)), 2500)
