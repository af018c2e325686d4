"""Run the notebooks of docs/notebooks and keep what they show; a test runs them too.

``python docs/run_notebooks.py [NAME...]``, each in a folder of its own.
"""

from __future__ import annotations

import base64
import io
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).with_name("notebooks")
TIMEOUT_S = 600
PHOTOGRAPH_BYTES = 100_000


def run(path: Path, folder: Path) -> NotebookNode:
    """Run a notebook in a folder and return it with what it shows.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    # What a notebook calls with "!" is the command of this environment, with this source.
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "100",
    }
    client = NotebookClient(notebook, timeout=TIMEOUT_S, resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
        for output in cell.get("outputs", ()):
            _compress(output.get("data", {}))
    return notebook


def _compress(shown: dict[str, str]) -> None:
    """Keep photographs as JPEG: a tenth of the size."""
    picture = base64.b64decode(shown.get("image/png", ""))
    if len(picture) > PHOTOGRAPH_BYTES:
        stream = io.BytesIO()
        Image.open(io.BytesIO(picture)).convert("RGB").save(stream, "JPEG", quality=85)
        del shown["image/png"]
        shown["image/jpeg"] = base64.b64encode(stream.getvalue()).decode()


if __name__ == "__main__":
    wanted = sys.argv[1:] or [path.stem for path in sorted(FOLDER.glob("*.ipynb"))]
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder:
            done = run(FOLDER / f"{name}.ipynb", Path(folder))
        nbformat.write(done, FOLDER / f"{name}.ipynb")
        print(f"{name}: {len(done.cells)} cells")
