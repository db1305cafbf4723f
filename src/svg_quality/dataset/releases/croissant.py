"""Croissant metadata of a release: what machine-learning tools read before they load it.

Format: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.0.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from svg_quality.dataset.releases.columns import CONVERSION_COLUMNS, IMAGE_COLUMNS

CROISSANT: Final = "croissant.json"
LICENSE: Final = "https://spdx.org/licenses/MIT.html"
_TYPES: Final = {"string": "sc:Text", "bool": "sc:Boolean", "int64": "cr:Int64",
                 "double": "cr:Float64"}  # fmt: skip
_FORMATS: Final = {".parquet": "application/x-parquet", ".jsonl": "application/jsonlines",
                   ".json": "application/json"}  # fmt: skip
_SEMVER: Final = re.compile(
    r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z.-]+)?"
)
_WORDS: Final = (
    "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty",
    "fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField",
    "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator",
    "source", "subField", "transform",
)  # fmt: skip
_CONTEXT: Final = {  # the specification's own, appendix 1
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{word: f"cr:{word}" for word in _WORDS},
}


def croissant_metadata(
    about: Mapping[str, Any],
    files: Mapping[str, Mapping[str, Any]],
    schemas: Mapping[str, pa.Schema],
) -> dict[str, Any]:
    """The JSON-LD of a release.

    Args:
        about: ``name``, ``version``, ``description``, ``dataset_digest`` and ``created`` (ISO).
        files: SHA-256 and bytes by name, as a manifest has them.
        schemas: of ``conversions.parquet`` and ``images.parquet``, by name.
    """
    year = about["created"][:4]
    title = f"{about['name']} {about['version']}"
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": about["name"],
        "description": about["description"],
        "version": semantic_version(about["version"]),
        "license": LICENSE,
        "identifier": f"sha256:{about['dataset_digest']}",
        "citeAs": (
            f"@misc{{{about['name']}, title={{{title}: VTracer conversions of logos and their "
            f"quality}}, author={{{{svg-quality}}}}, year={{{year}}}, "
            f"note={{dataset digest {about['dataset_digest']}}}}}"
        ),
        "datePublished": about["created"][:10],
        "creator": {"@type": "Organization", "name": "svg-quality"},
        "keywords": ["vectorization", "SVG", "VTracer", "SSIM", "logos"],
        "distribution": [_file_object(name, entry) for name, entry in files.items()],
        "recordSet": [
            _record_set("conversions", "conversion_id", "One row for each picture and parameter "
                        "set.", schemas["conversions.parquet"], CONVERSION_COLUMNS),
            _record_set("images", "image_id", "One row for each picture.",
                        schemas["images.parquet"], IMAGE_COLUMNS),
        ],
    }  # fmt: skip


def semantic_version(version: str) -> str:
    """A version as Croissant wants it; one that is no semantic version becomes build metadata.

    Example:
        >>> semantic_version("1.0.0"), semantic_version("1.2"), semantic_version("9f3c_a")
        ('1.0.0', '1.2.0', '0.0.0+9f3c-a')
    """
    if _SEMVER.fullmatch(version):
        return version
    short = re.fullmatch(r"(0|[1-9]\d*)(\.(?:0|[1-9]\d*))?", version)
    # Twelve digits of a digest may happen to be decimal: that is a name, not a number.
    if short and len(short[1]) < 6:
        return f"{short[1]}{short[2] or '.0'}.0"
    parts = [re.sub(r"[^0-9A-Za-z-]", "-", part) for part in version.split(".") if part]
    return f"0.0.0+{'.'.join(parts)}"


def _file_object(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    suffix = name[name.rfind(".") :]
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{entry['bytes']} B",
        "encodingFormat": _FORMATS.get(suffix, "text/plain"),
        "sha256": entry["sha256"],
    }


def _record_set(
    name: str, key: str, description: str, schema: pa.Schema, meanings: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": description,
        "key": {"@id": f"{name}/{key}"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{column.name}",
                "name": column.name,
                "description": meanings[column.name],
                "dataType": _TYPES[str(column.type)],
                "source": {
                    "fileObject": {"@id": f"{name}.parquet"},
                    "extract": {"column": column.name},
                },
            }
            for column in schema
        ],
    }
