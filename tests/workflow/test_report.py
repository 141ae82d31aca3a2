"""`snakemake --report`: one page that holds every table, figure and run, with captions, and needs no network."""

from __future__ import annotations

import base64
import json
import re
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("snakemake", reason="the workflow needs snakemake (pip install 'lsgm[workflow]')")

from workflow.small_checkout import PARTS, ROOT, call

from lsgm.config.catalogue import Catalogue
from lsgm.config.scope import ALL_TABLES, TABLES

RUNS = Catalogue(ROOT / "config")
EVALUATED = list(dict.fromkeys(run for table in ALL_TABLES for run in RUNS.runs_of_table(table, "test")))
BACKBONES = list(dict.fromkeys(filter(None, (RUNS.backbone(run, True) for run in EVALUATED))))
CURVES = [run for table in TABLES[:-1] for run in RUNS.runs_of_table(table, "test")]
ALL = ("all", "--config", "scale=test")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with this workflow, and with files that stand in for all results at scale test."""
    folder = tmp_path_factory.mktemp("report") / "place"
    folder.mkdir()
    for name in PARTS:
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    for name in expected():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"stands in for {name}")
    return folder


@pytest.fixture(scope="module")
def html(place):
    call(place, "snakemake", "--config", "scale=test", "--report", "results/test/report.html")
    return (place / "results/test/report.html").read_text()


def expected() -> dict[str, str]:
    """Files of the report with their categories, as far as they are marked in the rules."""
    tables = [f"table{number}" for number in TABLES] + ["extra_ablation"]
    files = {f"tables/{table}.csv": "Tables" for table in tables}
    files |= {f"report/{table}.html": "Tables" for table in tables}
    files |= {
        f"figures/{figure}.png": "Figures" for figure in ("figure3", "figure4", "figure5", "samplers", "variance")
    }
    files |= {f"figures/curves/{run}.png": "Training curves" for run in CURVES}
    files |= {f"{run}/metrics.json": "Runs" for run in EVALUATED} | {"report/runs.html": "Runs"}
    records = ("training.json", "model.config.yaml")
    files |= {f"{run}/{name}": "Runs" for run in {*EVALUATED, *BACKBONES} for name in records}
    return {f"results/test/{name}": category for name, category in files.items()}


def variable(html: str, name: str):
    """Value of one of the page's variables."""
    return json.JSONDecoder().raw_decode(re.split(rf"<script id=[^>]+>\s+var {name} = ", html)[1])[0]


def test_without_a_target_every_table_figure_and_run_is_in_the_page(html):
    found = {
        file: category
        for category, parts in variable(html, "categories").items()
        for files in parts.values()
        for file in files
    }
    assert found == expected()
    assert set(variable(html, "categories")["Runs"]) == {"Files", "Overview"}


def test_each_result_is_whole_and_has_a_caption_and_words_to_find_it(html):
    results = variable(html, "results")
    for file, result in results.items():
        assert base64.b64decode(result["data_uri"].partition("base64,")[2]).decode() == f"stands in for {file}"
        assert len(re.sub("<[^>]+>", "", result["caption"]).split()) > 15, file
        assert "system-message" not in result["caption"], f"docutils complains: {result['caption']}"
        assert result["labels"] and all(result["labels"].values()), file
    words = [json.dumps(result["labels"], sort_keys=True) for result in results.values()]
    assert len(set(words)) == len(words), "two results with the same words"
    labels = {file.removeprefix("results/test/"): result["labels"] for file, result in results.items()}
    assert labels["report/table5.html"]["table"] == "Table 5" and "MNIST" in labels["report/table5.html"]["shows"]
    assert labels["figures/curves/mnist.png"] == {"run": "mnist"}
    assert labels["mnist/metrics.json"] == {"run": "mnist", "file": "measurements"}


def test_captions_are_those_of_their_table(html):
    captions = {file: result["caption"] for file, result in variable(html, "results").items()}
    for number, words in {2: "bits per dimension", 5: "in nats", 6: "its ablation"}.items():
        assert words in " ".join(captions[f"results/test/report/table{number}.html"].split()), number
    assert "Training of mnist:" in captions["results/test/figures/curves/mnist.png"]


def test_the_first_page_says_the_scale_and_has_the_graph_of_all_stages(html):
    words = " ".join(variable(html, "workflow_desc").split())
    assert "Scale: test." in words and "No number of ours here can be compared" in words
    assert "system-message" not in words
    rules = {
        node["rule"] for data in variable(html, "rulegraph_spec")["data"] for node in data["values"] if "fx" in node
    }
    assert {"prepare", "pretrain", "train", "sample", "evaluate", "table", "figure5", "runs", "all"} <= rules


def test_nothing_is_fetched(html):
    own = html.replace(json.dumps(variable(html, "packages")), "")
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']([^\"']+)", own)
    assert [source for source in tags if re.match(r"(https?:)?//", source)] == []


def test_a_missing_result_is_named(place):
    file = place / "results/test/figures/figure4.png"
    kept = file.read_bytes()
    file.unlink()
    try:
        printed = call(place, "snakemake", *ALL, "--report", "results/test/other.html", fails=True)
    finally:
        file.write_bytes(kept)
    assert "results/test/figures/figure4.png" in printed.strip().splitlines()[-1]
    assert "Traceback" not in printed and not (place / "results/test/other.html").exists()


@pytest.mark.slow
def test_the_archive_holds_the_same(place):
    call(place, "snakemake", *ALL, "--report", "results/test/report.zip")
    with zipfile.ZipFile(place / "results/test/report.zip") as archive:
        names = archive.namelist()
    assert "report/report.html" in names
    stored = sorted(Path(name).name for name in names if "/data/" in name)
    assert stored == sorted(Path(name).name for name in expected())
