"""Write a PNG again with a palette of 256 colors, which makes a picture of a page a third as large.

    small_png.py FILE     one of 8 bits a channel, without interlacing, as Chromium writes them

Colors beyond the 256 that are seen most often, which are a few edges of letters, become the nearest of them.
"""

import struct
import sys
import zlib
from collections import Counter

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunks(data):
    at = len(SIGNATURE)
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += length + 12


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def paeth(left, up, corner):
    by_left, by_up, by_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    if by_left <= by_up and by_left <= by_corner:
        return left
    return up if by_up <= by_corner else corner


PREDICTED = (
    lambda left, up, corner: 0,
    lambda left, up, corner: left,
    lambda left, up, corner: up,
    lambda left, up, corner: (left + up) // 2,
    paeth,
)


def rows(data):
    """(width, rows of colors)"""
    parts = list(chunks(data))
    width, height, depth, kind = struct.unpack_from(">IIBB", dict(parts)[b"IHDR"])
    if depth != 8 or kind not in (2, 6):
        sys.exit("the picture has another form")
    channels = 3 if kind == 2 else 4
    raw = zlib.decompress(b"".join(body for name, body in parts if name == b"IDAT"))
    size = width * channels
    above = bytearray(size)
    result = []
    for start in range(0, height * (size + 1), size + 1):
        predicted, row = PREDICTED[raw[start]], bytearray(raw[start + 1 : start + 1 + size])
        for i in range(size):
            left, corner = (row[i - channels], above[i - channels]) if i >= channels else (0, 0)
            row[i] = (row[i] + predicted(left, above[i], corner)) & 255
        above = row
        result.append([bytes(row[i : i + 3]) for i in range(0, size, channels)])
    return width, result


def small(data):
    width, picture = rows(data)
    seen = Counter(color for row in picture for color in row)
    palette = [color for color, _ in seen.most_common(256)]
    index = {color: i for i, color in enumerate(palette)}
    for color in seen.keys() - index.keys():
        index[color] = min(
            range(len(palette)), key=lambda i, c=color: sum((a - b) ** 2 for a, b in zip(palette[i], c, strict=True))
        )
    body = b"".join(b"\0" + bytes(index[color] for color in row) for row in picture)
    header = struct.pack(">IIBBBBB", width, len(picture), 8, 3, 0, 0, 0)
    return SIGNATURE + b"".join(
        chunk(kind, part)
        for kind, part in (
            (b"IHDR", header),
            (b"PLTE", b"".join(palette)),
            (b"IDAT", zlib.compress(body, 9)),
            (b"IEND", b""),
        )
    )


def main():
    (path,) = sys.argv[1:]
    with open(path, "rb") as file:
        data = file.read()
    with open(path, "wb") as file:
        file.write(small(data))


if __name__ == "__main__":
    main()
