"""What makes two alerts the same incident, and ids that never repeat."""

import hashlib
from collections.abc import Collection

from collectors.sample import Labels

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 20


def incident_key(host: str, rule: str, labels: Labels, ignored: Collection[str]) -> str:
    """Return the identity of a subject: host, rule and labels, without severity and the ignored labels."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (host, rule, *(f"{n}\0{v}" for n, v in labels if n != "severity" and n not in ignored)):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\xff")
    return digest.hexdigest()


def new_id(now: float, random: int) -> str:
    """Return a short id that sorts by time: milliseconds since the epoch, then 20 of the random bits."""
    number = (int(now * 1000) << _RANDOM_BITS) | (random & ((1 << _RANDOM_BITS) - 1))
    digits = []
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
