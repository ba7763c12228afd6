"""The digests in src/vision/preprocess_test.cc: what torch's antialiased bicubic resize makes of images of noise.

    python3 tools/model_oracle/resize_digests.py        needs torch and numpy; made with torch 2.11
"""

import numpy as np
import torch

SIZES = [((595, 842), 1, (588, 840)), ((794, 1123), 1, (784, 1120)), ((17, 9), 1, (28, 28)), ((15, 40), 3, (84, 56)),
         ((33, 47), 3, (112, 28)), ((1, 1), 1, (84, 84)), ((40, 1), 1, (97, 1))]


def noise(count, state):
    values = np.empty(count, np.uint8)
    for i in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values[i] = state >> 24
    return values


def digest(data):
    """FNV-1a, 64 bits."""
    value = 1469598103934665603
    for byte in data:
        value = ((value ^ byte) * 1099511628211) & ((1 << 64) - 1)
    return value


for (width, height), channels, (to_width, to_height) in SIZES:
    image = torch.from_numpy(noise(width * height * channels, 1).reshape(height, width, channels)).permute(2, 0, 1)
    resized = torch.nn.functional.interpolate(image[None].contiguous(), (to_height, to_width), mode="bicubic", antialias=True, align_corners=False)
    print(f"{{{{{width}, {height}}}, {channels}, {{{to_width}, {to_height}}}, 0x{digest(resized[0].permute(1, 2, 0).contiguous().numpy().tobytes()):016x}}},")
