"""The epoch order feistel-v1, written a second time from its description in data/loader/order.h."""
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
