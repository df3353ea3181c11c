"""Draws the boxes of staged windows on their pictures, for a look by eye: look.py OUT.png STEM..."""
import json
import sys

from PIL import Image, ImageDraw

shots, width, x, y, row = [], 1500, 0, 0, 0
for stem in sys.argv[2:]:
    img = Image.open(stem + ".png").convert("RGB")
    draw = ImageDraw.Draw(img)
    for e in json.load(open(stem + ".json"))["elements"]:
        b = e["box"]
        draw.rectangle((b[0], b[1], b[2] - 1, b[3] - 1), outline=(255, 0, 0) if e["kind"] != "text" else (0, 160, 0))
        draw.text((b[0] + 1, b[1] - 3), f'{e["kind"]}:{e["label"] or e["role"]}'[:26], fill=(0, 0, 255))
    shots.append(img)
sheet = Image.new("RGB", (width, 4000), (90, 90, 90))
for img in shots:
    if x + img.width > width:
        x, y, row = 0, y + row + 6, 0
    sheet.paste(img, (x, y))
    x, row = x + img.width + 6, max(row, img.height)
sheet.crop((0, 0, width, min(4000, y + row))).save(sys.argv[1])
