"""Store the notebooks as they are kept: outputs only where a test compares them. `make notebooks` runs this.

A notebook with cells tagged `nbval-check-output` is run from top to bottom, and those cells' outputs are stored anew:
look at the difference before you commit it. All other outputs are dropped.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

CHECKED = "nbval-check-output"


def store(path: Path) -> None:
    notebook = nbformat.read(path, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    checked = [cell for cell in code if CHECKED in cell.metadata.get("tags", [])]
    if checked:
        NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}).execute()
    for cell in code:
        cell.metadata.pop("execution", None)
        if cell not in checked:
            cell.outputs, cell.execution_count = [], None
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for path in sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb")):
        store(path)
        print(path.name)
