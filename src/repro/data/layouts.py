"""How DeepFashion and Market-1501 lie on disk: file names, identities, frames, and the exclusion list."""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from repro.data.problems import DataError, Problem

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Layout:
    """One data set's layout: ``root/{train,test}/`` images, ``root/{spelling}-{annotation,pairs}-{split}.csv``.

    Attributes:
        name: what ``load`` calls it.
        spellings: how the csv names may begin; the first is the one that an exporter writes.
        size: (H, W) of the network's images.
        annotation_size: (H, W) that the annotations refer to where the user does not say.
        identity: image name -> number of the person, None where the name holds none.
    """

    name: str
    spellings: tuple[str, ...]
    size: tuple[int, int]
    annotation_size: tuple[int, int]
    identity: Callable[[str], int | None]

    def csv(self, root: Path, kind: str, split: str) -> Path:
        """Return the csv of ``kind`` ("annotation" or "pairs"), in whichever spelling it is there.

        Raises:
            FileNotFoundError: none of the spellings exists.
            DataError: several do.
        """
        names = [f"{spelling}-{kind}-{split}.csv" for spelling in self.spellings]
        found = [name for name in names if (root / name).is_file()]
        if not found:
            raise FileNotFoundError(
                f"{root}: no {kind} file of {self.name} {split}: expected one of {', '.join(names)} beside the folders "
                f"train/ and test/"
            )
        if len(found) > 1:
            raise DataError(
                f"{root}: which one is the {kind} file of {self.name} {split}?",
                [Problem("several spellings", "", name, f"{(root / name).stat().st_size} bytes") for name in found],
                "Keep one of them.",
            )
        return root / found[0]


def deepfashion_identity(name: str) -> int | None:
    """Return 80 for ``fashionMENDenimid0000008001_1front.jpg``, the eight digits after ``id``; None without them."""
    match = re.search(r"id_?(\d{8})", name)
    return int(match[1]) if match else None


def market_identity(name: str) -> int | None:
    """Return 161 for ``0161_c3s3_033053_04.jpg``, -1 for junk detections ``-1_c5s3_...``; None for other names."""
    match = re.match(r"(-1|\d{4})_", name)
    return int(match[1]) if match else None


LAYOUTS = {
    "deepfashion": Layout(
        # "fasion" is the authors' spelling in the code, "fashion" their README's; "-resize" is that of later copies.
        name="deepfashion",
        spellings=("fasion", "fashion", "fasion-resize", "fashion-resize"),
        size=(256, 256),
        annotation_size=(256, 176),
        identity=deepfashion_identity,
    ),
    "market1501": Layout(
        name="market1501",
        spellings=("market",),
        size=(128, 64),
        annotation_size=(128, 64),
        identity=market_identity,
    ),
}


def flatten_name(path: str) -> str:
    """Return the flat name of a DeepFashion image.

    ``img_highres/MEN/Denim/id_00000080/01_1_front.jpg`` becomes ``fashionMENDenimid0000008001_1front.jpg``: underscores
    go, except the first of the file name, and everything is joined behind ``fashion``.

    Raises:
        ValueError: no path of the form ``img_highres/GENDER/CATEGORY/id_NNNNNNNN/FILE``.
    """
    parts = PurePosixPath(path).parts
    if "img_highres" in parts:
        parts = parts[parts.index("img_highres") + 1 :]
    if len(parts) != 4 or not re.fullmatch(r"id_\d{8}", parts[2]):
        raise ValueError(f"expected img_highres/GENDER/CATEGORY/id_NNNNNNNN/FILE, got {path!r}")
    gender, category, identity, file = parts
    number, _, view = file.partition("_")
    view = "_" + view.replace("_", "") if view else ""
    return "fashion" + gender + category.replace("_", "") + identity.replace("_", "") + number + view


def scan_pairs(path: Path) -> tuple[list[tuple[str, str]], list[Problem]]:
    """Return the (from, to) rows of a pairs csv and one problem for each damaged, repeated or self pair.

    Raises:
        DataError: no text, or another header than ``from,to``.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: no pairs file:", [Problem("not text", "", path.name, str(error))], _PAIRS) from error
    header = [word.strip() for word in rows[0]] if rows else []
    if sorted(header) != ["from", "to"]:
        found = repr(",".join(header)) if header else "an empty file"
        raise DataError(f"{path}: no pairs file:", [Problem("wrong header", "", path.name, found)], _PAIRS)
    pairs: list[tuple[str, str]] = []
    problems: list[Problem] = []
    seen: dict[tuple[str, str], int] = {}
    for line, row in enumerate(rows[1:], start=2):
        where = f"{path.name}, line {line}"
        if not row:
            continue
        fields = [field.strip() for field in row]
        if len(fields) != 2 or not all(fields):
            found = repr(",".join(row)[:80])
            problems.append(
                Problem("damaged pair", f"line {path.name}:{line}", where, f"expected from,to, got {found}")
            )
            continue
        source, target = (fields[header.index(word)] for word in ("from", "to"))
        if source == target:
            problems.append(Problem("pair of an image with itself", f"pair {source},{target}", where, source))
        elif (source, target) in seen:
            first = seen[source, target]
            text = f"{source} -> {target} stands in line {first} already"
            problems.append(Problem("repeated pair", f"repeat {source},{target}", where, text))
        else:
            seen[source, target] = line
            pairs.append((source, target))
    return pairs, problems


_PAIRS = "Expected text with the header 'from,to' and one pair of image names in each row."


def read_exclusions(path: str | Path) -> set[str]:
    """Return the entries of an exclusion list: one per line; a line that begins with ``#`` is a comment.

    Raises:
        FileNotFoundError, ValueError: no such file; an entry of unknown form.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no exclusion list {path}: `check` writes one")
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    entries = {line for line in lines if line and not line.startswith("#")}
    forms = ("image ", "pair ", "repeat ", "identity ", "line ", "video ")
    unknown = sorted(entry for entry in entries if not entry.startswith(forms))
    if unknown:
        raise ValueError(
            f"{path}: {len(unknown)} entries of unknown form, first {unknown[0]!r}: expected `image NAME`, "
            "`pair FROM,TO`, `repeat FROM,TO`, `identity NUMBER`, `line FILE:LINE` or `video NAME`"
        )
    return entries
