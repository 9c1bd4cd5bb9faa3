#!/usr/bin/env python3
"""A second reader of peermq's formats, written from the manual alone.

    second_reader.py proof FILE…        checks proofs that `peermq receipt` and others export
    second_reader.py golden DIR         checks the golden values of `tests/golden`

It shares no code with peermq: what both agree on is what the manual says. Needs `blake3` and
`pynacl` (requirements.txt). Exit status 0 when everything holds, 1 when something does not.
"""

import sys
from pathlib import Path

from blake3 import blake3
from nacl import bindings, exceptions, signing

MAGIC = b"peermqpf"
BODY_CHUNK_TEXT_SIZE = 32_752
PEER = 1


class Wrong(Exception):
    """What was read is not what the manual says."""


# --- hashes ---------------------------------------------------------------------------------------


def keyed(context, *fields):
    """BLAKE3 keyed by derive_key(context, "")."""
    key = blake3(b"", derive_key_context=context).digest()
    return blake3(b"".join(fields), key=key).digest()


def derived(context, *fields):
    return blake3(b"".join(fields), derive_key_context=context).digest()


def number(value):
    return value.to_bytes(8, "big")


def variable(value):
    return number(len(value)) + value


def leaf_hash(author, epoch, index, header):
    return keyed("peermq leaf v1", author, number(epoch), number(index), variable(header))


def peaks_of(leaves, node_context):
    """The peaks over leaf hashes, largest first (RFC 6962 §2.1)."""
    peaks = []
    for leaf in leaves:
        level, top = 0, leaf
        while peaks and peaks[-1][0] == level:
            top = keyed(node_context, peaks.pop()[1], top)
            level += 1
        peaks.append((level, top))
    return [top for _, top in peaks]


def root_of(length, peaks, root_context):
    return keyed(root_context, number(length), *peaks)


# --- signatures -----------------------------------------------------------------------------------


def verify(signer, signature, domain, *fields):
    """Ed25519; libsodium refuses small-order keys and non-canonical values."""
    try:
        signing.VerifyKey(signer).verify(domain.encode() + b"\0" + b"".join(fields), signature)
    except exceptions.BadSignatureError:
        raise Wrong(f"the signature under {domain!r} is not that of {signer.hex()}") from None


# --- postcard -------------------------------------------------------------------------------------


class Reader:
    """Reads postcard's encodings from bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def raw(self, size):
        piece = self.data[self.at : self.at + size]
        if len(piece) < size:
            raise Wrong(f"expected {size} bytes at {self.at}, got {len(piece)}")
        self.at += size
        return piece

    def varint(self):
        value = 0
        for place in range(10):
            byte = self.raw(1)[0]
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                if value >= 1 << 64:
                    break
                return value
        raise Wrong(f"expected a u64 before byte {self.at}")

    def bytes(self, most):
        return self.raw(self.count(most))

    def count(self, most):
        count = self.varint()
        if count > most:
            raise Wrong(f"expected at most {most} before byte {self.at}, got {count}")
        return count

    def hashes(self, most):
        return [self.raw(32) for _ in range(self.count(most))]

    def recipient(self):
        tag = self.raw(1)[0]
        if tag > 2:
            raise Wrong(f"expected a recipient's tag, got {tag}")
        return tag, self.raw(32) if tag else bytes(32)

    def ranges(self):
        ranges, end = [], 0
        for position in range(self.count(256)):
            gap, length = self.varint(), self.varint()
            if length == 0 or (gap == 0 and position > 0):
                raise Wrong("expected ranges apart from one another, none empty")
            ranges.append((end + gap, end + gap + length))
            end += gap + length
        return ranges

    def end(self):
        if self.at != len(self.data):
            raise Wrong(f"expected the end at byte {self.at} of {len(self.data)}")


# --- receipts and headers -------------------------------------------------------------------------


class Receipt:
    def __init__(self, reader):
        self.receiver, self.author = reader.raw(32), reader.raw(32)
        self.epoch = reader.varint()
        self.recipient = reader.recipient()
        self.seen, self.inbox = reader.varint(), reader.raw(32)
        self.window = reader.varint(), reader.varint()
        self.stored = reader.varint(), reader.ranges()
        self.archived = reader.varint(), reader.ranges()
        self.rejected = 0, reader.ranges()
        self.signature = reader.raw(64)

    def verify(self):
        def packed(ranges):
            return number(len(ranges)) + b"".join(number(a) + number(b) for a, b in ranges)

        tag, recipient = self.recipient
        verify(
            self.receiver,
            self.signature,
            "peermq receipt v1",
            self.receiver,
            self.author,
            number(self.epoch),
            bytes([tag]) + recipient,
            number(self.seen) + self.inbox + number(self.window[0]) + number(self.window[1]),
            number(self.stored[0]) + packed(self.stored[1]),
            number(self.archived[0]) + packed(self.archived[1]),
            packed(self.rejected[1]),
        )

    def state_of(self, seq):
        for state in ("archived", "rejected", "stored"):
            below, ranges = getattr(self, state)
            if seq < below or any(start <= seq < end for start, end in ranges):
                return state
        raise Wrong(f"the receipt says nothing of {seq}")


def header_of(data):
    """(recipient's tag, recipient, seq) of an entry's header, of any version."""
    reader = Reader(data)
    reader.raw(1)
    tag, recipient = reader.recipient()
    return tag, recipient, reader.varint()


def past_siblings(leaf, place, length, siblings, peaks, node_context):
    """The peaks of a tree of `length` leaves, once the path of the leaf at `place` is in them."""
    if not place < length:
        raise Wrong(f"expected a place below {length}, got {place}")
    start = 0
    for position, level in enumerate(at for at in reversed(range(64)) if length >> at & 1):
        if place < start + (1 << level):
            break
        start += 1 << level
    if len(siblings) != level:
        raise Wrong(f"expected {level} siblings, got {len(siblings)}")
    top = leaf
    for height, sibling in enumerate(siblings):
        pair = (sibling, top) if (place - start) >> height & 1 else (top, sibling)
        top = keyed(node_context, *pair)
    if len(peaks) != bin(length).count("1") - 1:
        raise Wrong(f"expected {bin(length).count('1') - 1} other peaks, got {len(peaks)}")
    return peaks[:position] + [top] + peaks[position:]


# --- proofs ---------------------------------------------------------------------------------------


def check_proof(data):
    """Checks one proof; the sentence that it proves."""
    if data[:8] != MAGIC or len(data) < 42:
        raise Wrong("expected a proof, which begins with peermqpf")
    if blake3(data[:-32]).digest() != data[-32:]:
        raise Wrong("the file is damaged: its hash is not that of its bytes")
    version, kind = data[8], data[9]
    if version != 1 or kind not in KINDS:
        raise Wrong(f"expected version 1 and a known kind, got {version} and {kind}")
    reader = Reader(data[10:-32])
    says = KINDS[kind](reader)
    reader.end()
    return says


def check_delivery(reader):
    receipt = Receipt(reader)
    index, header = reader.varint(), reader.bytes(255)
    siblings, peaks = reader.hashes(64), reader.hashes(64)
    receipt.verify()
    tag, recipient, seq = header_of(header)
    if (tag, recipient) != (PEER, receipt.receiver) or receipt.recipient != (tag, recipient):
        raise Wrong("the header is not addressed to the receiver")
    leaf = leaf_hash(receipt.author, receipt.epoch, index, header)
    nodes = past_siblings(leaf, seq, receipt.seen, siblings, peaks, "peermq inbox node v1")
    if root_of(receipt.seen, nodes, "peermq inbox root v1") != receipt.inbox:
        raise Wrong("the header does not lead to the root that the receiver signed")
    state, author = receipt.state_of(seq), receipt.author.hex()
    return f"{receipt.receiver.hex()} has signed that {author}@{receipt.epoch}.{seq} is {state}"


def head_of(reader, author):
    """(epoch, length, root) of a head that its author has signed."""
    epoch, length, root, signature = reader.varint(), reader.varint(), reader.raw(32), reader.raw(64)
    verify(author, signature, "peermq head v1", author, number(epoch), number(length), root)
    return epoch, length, root


def cover_of(start, end):
    """The levels of the fewest full subtrees from `start` to `end`, in order."""
    while start < end:
        level = 0
        while start % (2 << level) == 0 and start + (2 << level) <= end:
            level += 1
        yield level
        start += 1 << level


def check_fork(reader):
    author = reader.raw(32)
    (epoch, m, first), (life, n, second) = head_of(reader, author), head_of(reader, author)
    peaks, cover = reader.hashes(64), reader.hashes(126)
    if epoch != life or m > n:
        raise Wrong("expected two heads of one life, the shorter one first")
    beside = second
    if m == n and (peaks or cover):
        raise Wrong("expected no hashes beside two heads at one length")
    if m < n:
        levels, steps = [at for at in reversed(range(64)) if m >> at & 1], list(cover_of(m, n))
        if len(peaks) != len(levels) or len(cover) != len(steps):
            raise Wrong(f"expected {len(levels)} peaks and {len(steps)} hashes after them")
        beside, nodes = root_of(m, peaks, "peermq root v1"), list(zip(levels, peaks))
        for level, top in zip(steps, cover):
            while nodes and nodes[-1][0] == level:
                level, top = level + 1, keyed("peermq node v1", nodes.pop()[1], top)
            nodes.append((level, top))
        if root_of(n, [top for _, top in nodes], "peermq root v1") != second:
            raise Wrong("the hashes do not lead to the second head")
    if beside == first:
        raise Wrong("one log has both heads")
    return f"{author.hex()} has signed two versions of its log in {epoch}, at {m} and {n}"


KINDS = {1: check_delivery, 2: check_fork}


# --- golden values --------------------------------------------------------------------------------


def golden_values(path, between=" = "):
    pairs = (line.rpartition(between) for line in path.read_text().splitlines())
    return {name: bytes.fromhex(value) for name, _, value in pairs if name}


def x25519_secret(seed, other):
    own, _ = bindings.crypto_sign_seed_keypair(seed)[::-1]
    scalar = bindings.crypto_sign_ed25519_sk_to_curve25519(own)
    return bindings.crypto_scalarmult(scalar, bindings.crypto_sign_ed25519_pk_to_curve25519(other))


def open_sealed(values):
    """Opens the sealed bodies of the author with seed 1… to the recipient with seed 2…."""
    author, recipient = (bindings.crypto_sign_seed_keypair(bytes([n] * 32))[0] for n in (1, 2))
    context = author + recipient + number(1_700_000_000) + bytes([1, 1]) + bytes([5] * 16)
    key = derived("peermq seal v1", x25519_secret(bytes([2] * 32), author), context)

    def opened(sealed, chunk):
        nonce = bytes(7) + chunk.to_bytes(4, "big") + b"\1"
        return bindings.crypto_aead_chacha20poly1305_ietf_decrypt(sealed, None, nonce, key)

    yield "sealed", opened(values["sealed"], 0), b"golden"
    yield "sealed, chunk 1", opened(values["sealed, chunk 1"], 1), b"golden"
    first = bindings.crypto_aead_chacha20poly1305_ietf_encrypt(
        bytes([1] * BODY_CHUNK_TEXT_SIZE), None, bytes(12), key
    )
    yield "sealed, hash of chunk 0", blake3(first).digest(), values["sealed, hash of chunk 0"]


def crypto_values(values):
    for name in ("leaf", "node", "root", "inbox node", "inbox root", "idempotency", "checked id"):
        yield name, keyed(f"peermq {name} v1", b"golden"), values[name]
    for name in ("mac1", "seal", "salt", "blind"):
        context = f"peermq {name} v1"
        yield context, derived(context, b"golden"), values[context]
    author = bindings.crypto_sign_seed_keypair(bytes([1] * 32))[0]
    yield "id", author, values["id"]
    image = bindings.crypto_sign_ed25519_pk_to_curve25519(author)
    yield "x25519 image", image, values["x25519 image"]
    for domain in ("head", "session", "receipt", "channel entry"):
        fields = bytes([7] * 32), number(8), bytes([9]), variable(b"golden")
        verify(author, values[f"sign {domain}"], f"peermq {domain} v1", *fields)
    yield from open_sealed(values)


def log_values(values):
    author, epoch = bindings.crypto_sign_seed_keypair(bytes([1] * 32))[0], 1_700_000_000
    header = values["header to peer"]
    yield "leaf", leaf_hash(author, epoch, 7, header), values["leaf"]
    yield "header's seq", header_of(header), (PEER, bytes([2] * 32), 300)
    for tree, prefix in (("", ""), ("inbox ", "inbox ")):
        for length in (0, 7):
            leaves = [bytes([leaf] * 32) for leaf in range(length)]
            peaks = peaks_of(leaves, f"peermq {tree}node v1")
            root = root_of(length, peaks, f"peermq {tree}root v1")
            yield f"{prefix}root {length}", root, values[f"{prefix}root {length}"]
    reader = Reader(values["signed head"])
    head = reader.varint(), reader.varint(), reader.raw(32), reader.raw(64)
    reader.end()
    yield "signed head", head[:3], (epoch, 7, values["root 7"])
    fields = author, number(epoch), number(head[1]), head[2]
    verify(author, head[3], "peermq head v1", *fields)


def check_sealed_key(data):
    """Opens the key file of the seed 7… under the passphrase `golden`."""
    if blake3(data[:-32]).digest() != data[-32:] or data[:9] != b"peermqk1\1":
        raise Wrong("the sealed key's frame")
    reader = Reader(data[41:-32])
    memory_kib, passes, lanes = (int.from_bytes(reader.raw(4), "big") for _ in range(3))
    salt, nonce, sealed = reader.raw(16), reader.raw(24), reader.raw(48)
    if lanes != 1:
        raise Wrong("libsodium has one lane")
    key = bindings.crypto_pwhash_alg(
        32, b"golden", salt, passes, memory_kib << 10, bindings.crypto_pwhash_ALG_ARGON2ID13
    )
    header = data[: -32 - len(sealed)]
    opened = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, header, nonce, key)
    if opened != bytes([7] * 32):
        raise Wrong("the sealed key opens to another seed")


def check_golden(directory):
    check_sealed_key(bytes.fromhex((directory / "sealed-key.txt").read_text()))
    for name, checks in (("crypto.txt", crypto_values), ("log.txt", log_values)):
        for value, found, golden in checks(golden_values(directory / name)):
            if found != golden:
                raise Wrong(f"{name}: {value}: expected {golden}, got {found}")
    proofs = golden_values(directory / "proofs.txt", between=" ")
    if not proofs:
        raise Wrong("expected golden proofs, got none")
    for name, proof in proofs.items():
        print(f"{name}: {check_proof(proof)}")
        check_refusals(name, proof)


def check_refusals(name, proof):
    """A flipped bit anywhere is found, also when the file's own hash is made to fit again."""
    for at in range(8, len(proof) - 32):
        forged = bytearray(proof[:-32])
        forged[at] ^= 1
        try:
            says = check_proof(bytes(forged) + blake3(bytes(forged)).digest())
        except (Wrong, KeyError, ValueError, exceptions.CryptoError):
            continue
        raise Wrong(f"{name}: with byte {at} changed it still says {says!r}")


def main(arguments):
    match arguments:
        case ["golden", directory]:
            check_golden(Path(directory))
        case ["proof", first, *rest]:
            for path in [first, *rest]:
                print(check_proof(Path(path).read_bytes()))
        case _:
            sys.exit(__doc__)
    print("everything holds")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Wrong as wrong:
        sys.exit(f"wrong: {wrong}")
