"""Exports: every picture with its own id and none of its file's metadata; nothing private."""

import html
import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from markupsafe import Markup
from PIL import Image, PngImagePlugin

from svg_quality.conversion.images import load_image
from svg_quality.dataset.assurance.privacy import private_traces
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.manifest import differences, read_manifest, write_manifest
from svg_quality.dataset.releases.croissant import CROISSANT
from svg_quality.dataset.releases.release import make_release, read_release
from svg_quality.dataset.tables import conversions_table
from svg_quality.dataset.transfers.export import export_release, picture_path, pictures_of
from svg_quality.dataset.transfers.pictures import PictureTask, bare_png, export_picture
from svg_quality.errors import DatasetError, ImageError

HOME = "/srv/people/jrandom"  # not one of the places where homes usually are
SECRETS = (b"jrandom", b"Jane Roe", b"jane@example.org", b"hidden under glass", b"Roe's camera")


def exif(orientation: int = 1) -> bytes:
    made = Image.Exif()
    made[0x013B], made[0x0110], made[0x0112] = "Jane Roe", "Roe's camera", orientation
    made.get_ifd(0x8825)[2] = (48.0, 51.0, 30.0)  # latitude
    return made.tobytes()


def text_chunks() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "Jane Roe")
    info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta>jane@example.org</x:xmpmeta>")
    return info


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def glass() -> np.ndarray:
    """A picture with half-transparent pixels and something written under transparent ones."""
    pixels = noise(40, 50, 4)
    pixels[:20, :, 3] = 0
    secret = np.frombuffer(b"hidden under glass" * 9, np.uint8)[:150]
    pixels[0, :, :3] = secret.reshape(50, 3)
    return pixels


SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 30 20"><!-- Jane Roe -->
<metadata>jane@example.org</metadata><circle cx="9" cy="9" r="7" fill="#c30"/></svg>"""
FILES = {
    "rgb.png": saved(Image.fromarray(noise(40, 50, 3)), "PNG", exif=exif(), pnginfo=text_chunks(),
                     icc_profile=b"Jane Roe" * 20),
    "large.png": saved(Image.fromarray(noise(140, 700, 3)), "PNG"),
    "glass.png": saved(Image.fromarray(glass()), "PNG"),
    "turned.jpg": saved(Image.fromarray(noise(40, 50, 3, 1)), "JPEG", exif=exif(6),
                        comment=b"Jane Roe"),
    "grey.png": saved(Image.fromarray(noise(40, 50, 1)[..., 0]), "PNG"),
    "sixteen.png": saved(Image.fromarray(noise(40, 50, 1)[..., 0].astype(np.uint16) * 251), "PNG"),
    "palette.png": saved(Image.fromarray(noise(40, 50, 3, 2)).quantize(17), "PNG", transparency=3),
    "one-bit.png": saved(Image.fromarray(noise(40, 50, 1)[..., 0] > 99), "PNG"),
    "moving.gif": saved(Image.fromarray(noise(40, 50, 3, 3)).quantize(9), "GIF", transparency=2,
                        save_all=True, append_images=[Image.new("P", (50, 40))],
                        comment="Jane Roe"),
    "lossy.webp": saved(Image.fromarray(glass()), "WEBP", quality=60, exif=exif()),
    "cmyk.tiff": saved(Image.fromarray(noise(40, 50, 3, 4)).convert("CMYK"), "TIFF",
                       artist="Jane Roe"),
    "plain.bmp": saved(Image.fromarray(noise(40, 50, 3, 5)), "BMP"),
    "drawn.svg": SVG,
}  # fmt: skip


def chunks(png: bytes) -> list[bytes]:
    found, place = [], 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        found.append(png[place + 4 : place + 8])
        place += 12 + length
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_picture_keeps_its_pixels_and_nothing_else(tmp_path: Path, name: str) -> None:
    data = FILES[name]
    before = load_image(data, 64)
    (tmp_path / name).write_bytes(data)
    target = tmp_path / "out" / "picture.png"
    task = PictureTask(tmp_path / name, before.image_id, 64, target)
    png = target.read_bytes() if export_picture(task) else b""
    after = load_image(png, 64)
    assert after.image_id == before.image_id
    assert np.array_equal(after.rgb, before.rgb)
    assert after.transparent_share == before.transparent_share
    assert set(chunks(png)) == {b"IHDR", b"IDAT", b"IEND"}
    assert private_traces(png) == []
    pixels = np.asarray(Image.open(io.BytesIO(png)))[..., :3].tobytes()
    assert not any(secret in png or secret in pixels for secret in SECRETS)


@settings(max_examples=60)
@given(
    arrays(np.uint8, st.tuples(st.just(11), st.integers(11, 14), st.sampled_from([1, 3, 4]))),
    st.sampled_from(["PNG", "TIFF", "BMP"]),
)
def test_any_pixels_keep_their_id(pixels: np.ndarray, kind: str) -> None:
    squeezed = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    data = saved(Image.fromarray(squeezed), kind)
    assert load_image(bare_png(data, 512, drawn=False)).image_id == load_image(data).image_id


def test_refuses_a_picture_that_is_not_what_its_id_says(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(FILES["rgb.png"])
    with pytest.raises(
        ImageError, match=r"must keep its id, .*a\.png is [0-9a-f]{12} and not 0{12}"
    ):
        export_picture(PictureTask(tmp_path / "a.png", "0" * 64, 64, tmp_path / "b.png"))
    with pytest.raises(ImageError, match="must be readable"):
        export_picture(PictureTask(tmp_path / "c.png", "0" * 64, 64, tmp_path / "b.png"))
    assert not (tmp_path / "b.png").exists()


@pytest.fixture
def library(tmp_path: Path) -> LogoLibrary:
    return LogoLibrary(tmp_path / "library")


@pytest.fixture
def release(tmp_path: Path, library: LogoLibrary, make_row: Callable[..., dict[str, Any]]) -> Path:
    """Every kind of picture and plain ones to have enough; one conversion failed."""
    many = {f"noise{n}.png": saved(Image.fromarray(noise(20, 20, 3, n)), "PNG") for n in range(30)}
    rows = []
    for number, (name, data) in enumerate((FILES | many).items()):
        image = load_image(data, 64)
        common = {
            "image_id": image.image_id, "image_path": library.add(data, image),
            "format": image.format,
            "source": f"{HOME}/logos/{name}" if number < 3 else f"logos/{name}", "working_size": 64,
            "logo_type": ("simple", "text", "gradient", "complex")[number % 4],
        }  # fmt: skip
        rows += [make_row(name, layer_difference=level, **common) for level in (0, 16)]
    figures = ("ssim", "ssim_worst_tile", "mse", "psnr", "svg_bytes", "path_count", "trace_ms",
               "render_ms")  # fmt: skip
    rows[-1] |= dict.fromkeys(figures) | {"error": f"no such file: {HOME}/x"}
    made = make_release(
        conversions_table(rows), tmp_path / "releases", "logos", "1.0.0", max_distance=0, seed=1
    )
    return made.path


def export(release: Path, library: LogoLibrary, tmp_path: Path, **options: Any) -> Any:
    return export_release(
        release, library, tmp_path / "exports", private=(HOME,), n_workers=2, **options
    )


@pytest.mark.slow
def test_an_export_is_the_release_with_its_pictures(
    release: Path, library: LogoLibrary, tmp_path: Path
) -> None:
    told: list[int] = []
    made = export(release, library, tmp_path, passed=told.append)
    assert made.path == tmp_path / "exports" / "logos" / "1.0.0"
    assert made.n_pictures == len(told) == len(pictures_of(release)) == len(FILES) + 30
    assert differences(made.path) == []
    before, after = read_release(release), read_release(made.path)
    assert after.digest == before.digest
    for name in ("conversions.parquet", "images.parquet", "set_aside.parquet"):
        old, new = pd.read_parquet(release / name), pd.read_parquet(made.path / name)
        assert list(new.columns) == list(old.columns)
        assert new["image_path"].tolist() == [picture_path(x) for x in new["image_id"]]
        hidden = ["image_path", "source"] + [x for x in ("error", "reason") if x in old]
        pd.testing.assert_frame_equal(new.drop(columns=hidden), old.drop(columns=hidden))
    for image in pd.read_parquet(made.path / "images.parquet").itertuples():
        picture = load_image(made.path / str(image.image_path), 64)
        assert picture.image_id == image.image_id
    lines = (made.path / "conversions.jsonl").read_text().splitlines()
    assert [json.loads(line)["image_path"] for line in lines] == after.conversions[
        "image_path"
    ].tolist()
    files = read_manifest(made.path)["files"]
    for entry in json.loads((made.path / CROISSANT).read_text())["distribution"]:
        assert entry["sha256"] == files[entry["contentUrl"]]["sha256"]
        assert entry["contentSize"] == f"{files[entry['contentUrl']]['bytes']} B"


@pytest.mark.slow
def test_nothing_private_leaves(release: Path, library: LogoLibrary, tmp_path: Path) -> None:
    import getpass
    import socket

    made = export(release, library, tmp_path)
    sources = pd.read_parquet(made.path / "images.parquet")["source"]
    assert sum(source.startswith("***/logos/") for source in sources) == 3
    assert "***/x" in str(pd.read_parquet(made.path / "set_aside.parquet")["error"].iloc[0])
    assert read_manifest(made.path)["export"]["texts_masked"] > 0
    machine = {str(tmp_path), str(Path.home()) + "/", f"{getpass.getuser()}@", socket.gethostname()}
    # Of a short name such as "vm" nothing can be said by searching.
    wanted = [*SECRETS, *(text.encode() for text in machine if len(text) > 4)]
    for path in made.path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content = pd.read_parquet(path).to_json().replace("\\/", "/").encode()
            assert [x for x in wanted if x in content] == [], path


@pytest.mark.slow
def test_the_same_export_is_given_again_another_is_refused(
    release: Path, library: LogoLibrary, tmp_path: Path
) -> None:
    made = export(release, library, tmp_path)
    before = (made.path / "manifest.json").stat().st_mtime_ns
    assert export(release, library, tmp_path) == made
    assert (made.path / "manifest.json").stat().st_mtime_ns == before
    (release / "notes.md").write_text("more")
    about = {key: value for key, value in read_manifest(release).items() if key != "files"}
    write_manifest(release, about)
    with pytest.raises(DatasetError, match=r"must not change, .*1\.0\.0 is of another release"):
        export(release, library, tmp_path)


@pytest.mark.slow
def test_a_missing_or_altered_picture_leaves_no_export(
    release: Path, library: LogoLibrary, tmp_path: Path
) -> None:
    places = [place for place, _ in pictures_of(release).values() if place.endswith(".png")]
    library.path(places[0]).unlink()
    library.path(places[1]).write_bytes(FILES["plain.bmp"])
    with pytest.raises(DatasetError, match=r"must hold every picture, 2 of 43 failed; first: "):
        export(release, library, tmp_path)
    assert [path.name for path in (tmp_path / "exports/logos").iterdir()] == [".lock"]


def test_private_texts_are_masked_however_they_are_escaped(tmp_path: Path) -> None:
    private = "/srv/Müller & Söhne's/svg"
    said = {"at": f"{private}/logos", "by": "jürgen@example.org", private: 1.0, "n": [2, None]}
    texts = {
        "lock.json": json.dumps(said, indent=2) + "\n",
        "lines.jsonl": json.dumps(said) + "\n" + json.dumps({"a": private}) + "\n",
        "two.json": json.dumps({"a@example.org": 1, "b@example.org": 2}),
        "public.json": '{"a":  "M\\u00fcller", "b": 1e0}',
        "page.html": f"<p>{html.escape(private)}</p>{Markup.escape(private)}<p>{private}/x</p>",
        "notes.md": f"`{json.dumps(private)}` <file://{quote(private)}/a>",
    }
    release = tmp_path / "release"
    release.mkdir()
    for name, text in texts.items():
        (release / name).write_text(text, encoding="utf-8")
    write_manifest(release, {"name": "logos", "version": "1", "dataset_digest": "ab",
                             "source": f"{private}/log"})  # fmt: skip
    made = export_release(release, LogoLibrary(tmp_path), tmp_path / "exports", private=[private])
    hidden = {"at": "***/logos", "by": "***", "***": 1.0, "n": [2, None]}
    assert json.loads((made.path / "lock.json").read_text()) == hidden
    lines = (made.path / "lines.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [hidden, {"a": "***"}]
    assert json.loads((made.path / "two.json").read_text()) == {"***": 1, "****": 2}
    assert (made.path / "public.json").read_text() == texts["public.json"]
    assert (made.path / "page.html").read_text() == "<p>***</p>***<p>***/x</p>"
    assert (made.path / "notes.md").read_text() == '`"***"` <file://***/a>'
    assert read_manifest(made.path)["source"] == "***/log"
    (release / "lock.json").write_text("{")
    write_manifest(release, {"name": "logos", "version": "2", "dataset_digest": "ab"})
    with pytest.raises(DatasetError, match=r"must be of JSON, .*lock\.json is none"):
        export_release(release, LogoLibrary(tmp_path), tmp_path / "exports")


def test_sixteen_bits_are_truly_tested() -> None:
    (depth,) = struct.unpack(">B", FILES["sixteen.png"][24:25])
    assert depth == 16
