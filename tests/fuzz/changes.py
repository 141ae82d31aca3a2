"""Changes of a file as hypothesis strategies: cut, flip, insert, remove, repeat, splice; harmful numbers and words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from hypothesis import strategies as st

NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 10**12, 2**62, 2**63, 2**64 - 1)
WORD = re.compile(rb"[\w.+-]+")
WORDS = tuple(
    word.encode("utf-8", "surrogatepass")
    for word in (
        *("", "0", "-1", "1", "true", "null", "~", "nan", ".nan", "NaN", "inf", ".inf", "-Infinity", "1e999", "1e-999"),
        *("9" * 30, "9" * 400, "9" * 5000, "0x_", "0b_", "1:99:99", "2001-99-99", "2001-01-01", "1_0", "0o8"),
        *("[]", "{}", "''", '""', "[[]]", "{a: 1}", '{"a": 1}', "[" * 60, "{a: " * 60, "[" * 3000, '{"a":' * 3000),
        *("*a", "&a", "&a [*a]", "<<", "<<: {}", "? [1]", "? {}", "!!set", "!!binary x", "!!int x", "!!timestamp x"),
        *(
            "!!python/object/apply:os.system [true]",
            "!!float x",
            "!!bool x",
            "!!null x",
            "!!omap [a: 1]",
            "|",
            ">",
            "%",
        ),
        *(
            "\\ud800",
            '"\\ud800"',
            '"\\u0000"',
            '"\\0"',
            "\x00",
            "\ud800",
            "\ufeff",
            "\u2028",
            "\x1b[31m",
            "\r",
            "\t",
            "\n",
        ),
        *("../../etc/passwd", "/dev/zero", "/", ".", "a" * 300, "a" * 5000, "é", "name", "step", "format", "ok", "vae"),
    )
)
RANGE = 2**16
KINDS = ("cut", "flip", "overwrite", "insert", "remove", "repeat", "splice", "continue")
WORD_KINDS = (*KINDS, "word", "word", "word", "word")


@dataclass(frozen=True)
class Change:
    """One change: what, where (as a share of RANGE), how long, and with what, of itself or of another sample."""

    kind: str
    place: int
    size: int
    number: bytes
    word: bytes
    other: bytes
    start: int

    def apply(self, data: bytes) -> bytes:
        """The content after the change."""
        if self.kind == "word":
            return self._replace_word(data)
        at, begin = self.place * len(data) // RANGE, self.start * len(self.other) // RANGE
        before, after = data[:at], data[at:]
        rest = {
            "cut": b"",
            "flip": bytes(byte ^ self.number[0] or 1 for byte in after[:1]) + after[1:],
            "overwrite": self.number + after[len(self.number) :],
            "insert": self.number + after,
            "remove": after[self.size :],
            "repeat": after[: self.size] * (1 + self.number[0] % 50) + after,
            "splice": self.other[begin : begin + self.size] + after[self.size :],
            "continue": self.other[begin:],
        }
        return before + rest[self.kind]

    def _replace_word(self, data: bytes) -> bytes:
        found = list(WORD.finditer(data))
        if not found:
            return data + self.word
        word = found[self.place * len(found) // RANGE]
        return data[: word.start()] + self.word + data[word.end() :]


def _change(samples: tuple[bytes, ...], is_text: bool) -> st.SearchStrategy[Change]:
    numbers = [
        (number % 256**width).to_bytes(width, order)
        for number in NUMBERS
        for width in (1, 2, 4, 8)
        for order in ("little", "big")
    ]
    return st.builds(
        Change,
        st.sampled_from(WORD_KINDS if is_text else KINDS),
        st.integers(0, RANGE - 1),
        st.integers(1, 1024),
        st.sampled_from(numbers) | st.binary(min_size=1, max_size=8),
        st.sampled_from(WORDS if is_text else (b"",)),
        st.sampled_from(samples),
        st.integers(0, RANGE - 1),
    )


def _changed(content: bytes, changes: list[Change]) -> bytes:
    for change in changes:
        content = change.apply(content)
    return content


@cache
def changed(samples: tuple[bytes, ...], is_text: bool) -> st.SearchStrategy[bytes]:
    """A sample with one to four changes."""
    return st.builds(_changed, st.sampled_from(samples), st.lists(_change(samples, is_text), min_size=1, max_size=4))
