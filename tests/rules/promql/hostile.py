"""Expressions that would harm who takes them as they are, each with words of the reason why they are refused."""

HOSTILE = {
    "too long": ("x" * 70_000, "64 KiB"),
    "too deep": ("(" * 20_000 + "1" + ")" * 20_000, "nested deeper than 200"),
    "just too deep": ("(" * 201 + "1" + ")" * 201, "nested deeper than 200"),
    "too many operators": ("1" + " ^ 1" * 15_000, "more than 1000 operators"),
    "too many signs": ("-" * 30_000 + "1", "more than 1000 operators"),
    "no text": ('label_replace(x, "a", "\\xff", "b", "")', "not valid UTF-8"),
    "a duration that overflows": ("rate(x[99999999999999y])", "duration out of range"),
    "an offset that overflows": ("x offset -99999999999999w", "duration out of range"),
    "seconds that overflow": ("x[1e30]", "duration out of range"),
    "a time that overflows": ("x @ 1e300", "out of bounds"),
    "a regular expression that explodes": ('x{a=~"((a{1000}){1000}){1000}"}', "regex"),
    "a replacement that explodes": (
        'label_replace(x, "a", "b", "c", "((a{1000}){1000}){1000}")',
        "invalid regular expression",
    ),
    "a lookaround": ('x{a=~"(?=b)c"}', "regex"),
}
