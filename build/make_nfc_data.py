"""Writes NfcData.cs, the tables of canonical composition, from the Unicode Character Database in Python's unicodedata.

Run in this folder: python3 make_nfc_data.py. Hangul is left out, being arithmetic (The Unicode Standard, section 3.12).
"""
import hashlib
import sys
import unicodedata as ucd

HANGUL = range(0xAC00, 0xD7A4)
CODE_POINTS = [c for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000]


def decompositions():
    """Code point → 'A+B' that composes again, 'A-B' or 'A' that does not."""
    for c in CODE_POINTS:
        parts = ucd.decomposition(chr(c)).split()
        if parts and not parts[0].startswith('<') and c not in HANGUL:
            composes = ucd.normalize('NFC', chr(c)) == chr(c)
            yield c, ('+' if composes else '-').join(parts)


def wrapped(start, entries, width=140):
    line = f'{start:04X}'
    for offset, entry in enumerate(entries):
        if len(line) + 1 + len(entry) > width:
            yield line
            line = f'{start + offset:04X}'
        line += ' ' + entry
    yield line


def decomposition_lines():
    start, entries = None, []
    for c, entry in decompositions():
        if start is not None and c != start + len(entries):
            yield from wrapped(start, entries)
            start = None
        if start is None:
            start, entries = c, []
        entries.append(entry)
    yield from wrapped(start, entries)


def class_lines(width=140):
    """Ranges of one canonical combining class, 'FIRST-LAST=CLASS', in lines."""
    ranges = []
    for c in CODE_POINTS:
        k = ucd.combining(chr(c))
        if k and ranges and ranges[-1][1:] == [c - 1, k]:
            ranges[-1][1] = c
        elif k:
            ranges.append([c, c, k])
    line = ''
    for first, last, k in ranges:
        entry = f'{first:04X}={k}' if first == last else f'{first:04X}-{last:04X}={k}'
        if len(line) + 1 + len(entry) > width:
            yield line
            line = ''
        line += (' ' if line else '') + entry
    yield line


def digest(form, marks):
    text = '\n'.join(ucd.normalize('NFC', ucd.normalize(form, chr(c)) + marks) for c in CODE_POINTS)
    return hashlib.sha256(text.encode('utf-8')).hexdigest()


with open('../src/AnimateDiff/Text/NfcData.cs', 'w', encoding='utf-8') as out:
    out.write(f'''namespace AnimateDiff.Text;

/// <summary>Canonical decompositions and combining classes of Unicode {ucd.unidata_version} (Unicode License v3), written by build/make_nfc_data.py.</summary>
internal static class NfcData
{{
    /// <summary>A code point and what it and the ones after it decompose into: <c>A+B</c> composes again, <c>A-B</c> and <c>A</c> do not.</summary>
    public const string Decompositions = """
''')
    out.writelines(f'        {line}\n' for line in decomposition_lines())
    out.write('''        """;

    /// <summary>Ranges of code points and their canonical combining class, where it is not 0.</summary>
    public const string CombiningClasses = """
''')
    out.writelines(f'        {line}\n' for line in class_lines())
    out.write('        """;\n}\n')
print('The sums in NfcTests.cs: SHA-256 of all code points, in order, joined by line feeds, in UTF-8')
print('  NFC of the code point:', digest('NFC', ''))
print('  NFC of its NFD and the marks U+0323 U+0301:', digest('NFD', '\u0323\u0301'))
